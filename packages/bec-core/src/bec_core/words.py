"""Figures in words, as every line for people has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches
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


def named(known: Sequence[str], *, most: int = 10) -> str:
    """``a, b, c and 7 more``: the first names of those there are; ``none`` without any."""
    if not known:
        return "none"
    more = len(known) - most
    return ", ".join(known[:most]) + (f" and {more} more" if more > 0 else "")


def meant(name: str, known: Sequence[str]) -> str:
    """``; did you mean 'ldv1'?`` for a name that looks like one of those there are, else nothing."""
    close = get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(repr(one) for one in close)}?" if close else ""
