"""Figures in words."""

from __future__ import annotations


def percent(share: float | None) -> str:
    """A share for people: "4.1 %"; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.1f} %"


def plural(count: int, noun: str) -> str:
    """ "1 page", "1,234 pages"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
