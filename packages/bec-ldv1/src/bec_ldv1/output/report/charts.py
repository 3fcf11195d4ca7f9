"""Small charts as inline SVG; colours come from the style sheet's classes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import attrs

from bec_ldv1.record.suspicion import Level

_WIDTH, _HEIGHT, _BASE = 300, 112, 90
_LEAST = 20  # whole numbers that a histogram spans at least
_LOWEST = 8  # pages that a histogram's whole height stands for at least
_STRIP_WIDTH, _STRIP_HEIGHT = 1000, 56
_PLACES = 60  # bars that the strip has room for at least

NOTHING = "nothing"
"""How the strip marks a page that should be looked at and has no lines."""


@attrs.frozen
class Bin:
    """One bar of a histogram: the values from ``low`` to below ``high``, how it is called, and how many."""

    low: float
    high: float
    label: str
    count: int


def integer_bins(values: Sequence[int], *, most: int = 24) -> list[Bin]:
    """Bins of whole numbers over all values and some beside them, at most ``most``, all equally wide."""
    if not values:
        return []
    first, last = min(values), max(values)
    if last - first < _LEAST:  # a few broad bars would look like much
        first = max(0, first - (_LEAST - (last - first)) // 2)
        last = max(last, first + _LEAST)
    step = max(1, -(-(last - first + 1) // most))
    bins = []
    for low in range(first, last + 1, step):
        label = str(low) if step == 1 else f"{low}–{low + step - 1}"
        bins.append(Bin(low, low + step, label, sum(low <= value < low + step for value in values)))
    return bins


def even_bins(values: Sequence[float], low: float, high: float, count: int, unit: str) -> list[Bin]:
    """``count`` equal bins from ``low`` to ``high``; values outside count in the outermost bins."""
    width = (high - low) / count
    tallies = [0] * count
    for value in values:
        tallies[min(count - 1, max(0, int((value - low) / width)))] += 1
    return [
        Bin(
            low + i * width,
            low + (i + 1) * width,
            f"{low + i * width:g} to {low + (i + 1) * width:g}{unit}",
            tally,
        )
        for i, tally in enumerate(tallies)
    ]


def histogram(title: str, bins: Sequence[Bin], ends: tuple[str, str], *, what: str = "page") -> str:
    """A histogram: bars with a tooltip each, and the axis' two ends in words; nothing if it would be empty.

    Its height stands for eight at least, so that a few pages don't look like many.
    """
    if not bins or not any(item.count for item in bins):
        return ""
    top = max(_LOWEST, *(item.count for item in bins))
    pitch = _WIDTH / len(bins)
    bars = []
    for i, item in enumerate(bins):
        height = 0.0 if not item.count else max(2.0, (_BASE - 8) * item.count / top)
        gap = 1 if pitch > 4 else 0
        words = f"{item.label}: {item.count} {what}{'' if item.count == 1 else 's'}"
        bars.append(
            f'<g class="bar"><rect class="hit" x="{i * pitch:.2f}" y="0" width="{pitch:.2f}" height="{_BASE}"/>'
            f'<rect x="{i * pitch + gap:.2f}" y="{_BASE - height:.2f}" width="{max(1.0, pitch - 2 * gap):.2f}" '
            f'height="{height:.2f}"/><title>{escape(words)}</title></g>'
        )
    scale = f"{top} {what}s"
    commonest = max(bins, key=lambda item: item.count)
    summary = f"{title}: from {ends[0]} to {ends[1]}, most often {commonest.label}"
    return (
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 -6 {_WIDTH} {_HEIGHT + 6}" role="img" aria-label="{escape(summary)}">'
        f'{"".join(bars)}<line x1="0" y1="{_BASE}.5" x2="{_WIDTH}" y2="{_BASE}.5"/>'
        f'<line class="top" x1="0" y1="8.5" x2="{_WIDTH}" y2="8.5"/><text x="0" y="5">{escape(scale)}</text>'
        f'<text x="0" y="{_HEIGHT - 4}">{escape(ends[0])}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{escape(ends[1])}</text></svg></figure>'
    )


def mark_of(count: int, level: Level) -> str:
    """How the strip marks a page with so many lines: its level, or `NOTHING`."""
    return NOTHING if level is Level.CHECK and not count else str(level)


def strip(pages: Sequence[tuple[int, Level]]) -> str:
    """The volume at a glance: one bar per page in reading order, its height the number of lines; empty for one page.

    ``pages`` holds each page's number of lines and level. A page without lines that failed or should be looked at
    takes the whole height, or nobody would see it; one to look at is then paler (class ``nothing``).
    Bars of one class are one path, so that a thousand pages stay small. Few pages stand at the left as narrow bars;
    ``data-places`` says how many would fill the strip.
    """
    if len(pages) < 2:
        return ""
    top = max(1, *(count for count, _ in pages))
    places = max(_PLACES, len(pages))
    pitch = _STRIP_WIDTH / places
    width = max(pitch * 0.8, 0.4)
    paths: dict[str, list[str]] = {}
    for i, (count, level) in enumerate(pages):
        full = level in (Level.ERROR, Level.CHECK) and not count
        height = _STRIP_HEIGHT if full else max(2.0, _STRIP_HEIGHT * count / top)
        paths.setdefault(mark_of(count, level), []).append(
            f"M{i * pitch:.2f} {_STRIP_HEIGHT}v{-height:.1f}h{width:.2f}V{_STRIP_HEIGHT}z"
        )
    drawn = "".join(f'<path class="{name}" d="{"".join(d)}"/>' for name, d in paths.items())
    return (
        f'<svg class="strip" viewBox="0 0 {_STRIP_WIDTH} {_STRIP_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'data-places="{places}" aria-label="Lines per page in reading order, {len(pages)} pages">{drawn}</svg>'
    )


def shares(parts: Sequence[tuple[str, int]]) -> str:
    """One bar in pieces, each a class and a count, as wide as its share; empty if there are not two of them.

    It says nothing that stands not in words beside it, so a screen reader passes it over.
    """
    parts = [(name, count) for name, count in parts if count]
    if len(parts) < 2:
        return ""
    whole, drawn, start = sum(count for _, count in parts), [], 0
    for name, count in parts:
        left, width = _STRIP_WIDTH * start / whole, _STRIP_WIDTH * count / whole
        drawn.append(f'<rect class="{name}" x="{left:.2f}" width="{width:.2f}" height="8"/>')
        start += count
    return (
        f'<svg class="shares" viewBox="0 0 {_STRIP_WIDTH} 8" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(drawn)}</svg>"
    )
