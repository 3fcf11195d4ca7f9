"""Columns of text: where lines must not be linked, and the order in which a page is read.

On a pecha leaf lines are read across whatever stands between (holes, pictures, ornaments), unless a white stripe goes
down through many lines (see `gutters`). On other pages a gap that goes through nearly all lines separates them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.fragments import ROW, STATION, Fragment, stretches
from bec_ldv1.lines.ranks import median, percentile

LEAF = 2.0
"""Planes wider than this many times their height are leaves."""

_MIN_LINES = 4  # in each column
_CROSSING = 0.1  # share of the lines that may run across a gutter (headings)


def gutters(fragments: Sequence[Fragment], shape: tuple[int, int]) -> list[float]:
    """The x of each gap between columns, in pixels of a plane of ``shape`` (height, width)."""
    height, width = shape
    if width > LEAF * height or len(fragments) < 2 * _MIN_LINES:
        return []
    coverage = np.zeros(max(f.last for f in fragments) + 1, np.int64)
    for f in fragments:
        coverage[f.first : f.last + 1] += 1
    text = np.flatnonzero(coverage)
    body = median([f.body for f in fragments]) * ROW
    free = coverage <= _CROSSING * percentile(coverage[text], 75)
    places = []
    for start, stop in stretches(free[text[0] : text[-1] + 1]):
        left, right = start + int(text[0]), stop + int(text[0])
        if (right - left) * STATION < body or left == 0 or right == coverage.size:
            continue
        lines = min(coverage[:left].max(), coverage[right:].max())
        if lines >= _MIN_LINES and _beside(fragments, left, right):
            places.append((left + right) / 2 * STATION)
    return places


def barriers_of(places: Sequence[float], stripes: Sequence[tuple[int, int]]) -> list[float]:
    """The x of all gaps between columns: gutters of the map, and white stripes of the ink that are none of these."""
    own = [(left + right) / 2 for left, right in stripes if not any(left <= x <= right for x in places)]
    return sorted([*places, *own])


def _beside(fragments: Sequence[Fragment], left: int, right: int) -> bool:
    """Do the texts on both sides of the gap stand next to each other for half of the lower one's height?"""
    extents = []
    for side in ([f for f in fragments if f.last < left], [f for f in fragments if f.first >= right]):
        if not side:
            return False
        extents.append((min(float(f.top.min()) for f in side), max(float(f.bottom.max()) for f in side)))
    (top_a, bottom_a), (top_b, bottom_b) = extents
    common = min(bottom_a, bottom_b) - max(top_a, top_b)
    return common >= 0.5 * min(bottom_a - top_a, bottom_b - top_b)


def reading_order(
    spans: NDArray[np.float64], heights: NDArray[np.float64], places: Sequence[float]
) -> list[int]:
    """The order in which lines are read: indices into ``spans``.

    ``spans`` (N×2) are the lines' ends in x, ``heights`` (N) their y, level with each other when the page is
    skewed. Without columns it is top to bottom; with columns each column is read down, and a line that
    crosses a gutter is read after everything above it.
    """
    by_height: list[int] = np.argsort(heights, kind="stable").tolist()
    if not places:
        return by_height
    order: list[int] = []
    waiting: list[int] = []
    edges = np.asarray(places)

    def column(index: int) -> int:
        return int(np.searchsorted(edges, spans[index].mean()))

    for index in by_height:
        crosses = bool(((spans[index, 0] < edges) & (edges < spans[index, 1])).any())
        if crosses:
            order += sorted(waiting, key=column)
            order.append(index)
            waiting = []
        else:
            waiting.append(index)
    return order + sorted(waiting, key=column)
