"""Figures in words, as every line for people has them."""

from __future__ import annotations

from datetime import timedelta
from typing import overload


@overload
def ago(seconds: float) -> str: ...
@overload
def ago(seconds: None) -> None: ...
@overload
def ago(seconds: float | None) -> str | None: ...
def ago(seconds: float | None) -> str | None:
    """A span of time, short: ``42 s``, ``3 min``, ``2 h 05 min``, ``3 d 4 h``."""
    if seconds is None:
        return None
    span = timedelta(seconds=max(0, round(seconds)))
    hours, rest = divmod(span.seconds, 3600)
    if span.days:
        return f"{span.days} d {hours} h"
    if hours:
        return f"{hours} h {rest // 60:02d} min"
    return f"{rest // 60} min" if rest >= 120 else f"{rest} s"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 volume``, ``3 volumes``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
