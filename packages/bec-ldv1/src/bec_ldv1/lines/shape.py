"""From drafts to outlines: ends on ink, smooth bands, regions that reach from gap to gap."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.drafts import Doubles, Draft
from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.smoothing import smooth
from bec_ldv1.lines.values import Line, Points

HALF = 2
"""Ink is looked at on a plane of half the size."""

_LEAST_REACH = 0.8  # a region goes at least so far beyond its band, where there is room, in bodies


def half_ink(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """1 where at least a quarter of a 2×2 cell is ink, else 0."""
    rows, columns = ink.shape[0] // HALF, ink.shape[1] // HALF
    small = cv2.resize(ink[: rows * HALF, : columns * HALF], (columns, rows), interpolation=cv2.INTER_AREA)
    return (small < 200).astype(np.uint8)


def without_rules(ink: NDArray[np.uint8], body: float) -> NDArray[np.uint8]:
    """The half-size ink without long straight strokes: frames and ruled lines.

    A stroke is a rule when it runs 8 bodies across or 2.5 bodies down without a break.
    """
    across = np.ones((1, max(9, round(8 * body / HALF))), np.uint8)
    down = np.ones((max(9, round(2.5 * body / HALF)), 1), np.uint8)
    rules = np.maximum(
        cv2.morphologyEx(ink, cv2.MORPH_OPEN, across), cv2.morphologyEx(ink, cv2.MORPH_OPEN, down)
    )
    return np.asarray(ink & ~rules, dtype=np.uint8)


def smoothed(drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts with a smooth course and height."""
    both = smooth([*(d.middle for d in drafts), *((d.bottom - d.top) / 2 for d in drafts)])
    return [
        Draft(d.first, middle - half, middle + half, d.mass, d.found)
        for d, middle, half in zip(drafts, both[: len(drafts)], both[len(drafts) :], strict=True)
    ]


def regions(
    drafts: Sequence[Draft],
    reaches: Sequence[tuple[float, float]],
    pitch: float | None,
    stations: int,
    height: int,
) -> list[tuple[Doubles, Doubles]]:
    """For each draft the top and bottom of its region per station of a plane ``height`` pixels high.

    A region goes beyond the band as far as the line's ink does (``reaches``: above, below; in bodies), at least
    ``_LEAST_REACH``, but never more than half way to the neighbour's band, nor to where the neighbour's band
    would be by the page's ``pitch``.
    """
    top = np.full((len(drafts), stations), np.nan)
    bottom = np.full((len(drafts), stations), np.nan)
    for i, d in enumerate(drafts):
        top[i, d.first : d.last + 1] = d.top
        bottom[i, d.first : d.last + 1] = d.bottom
    middles = (top + bottom) / 2
    body = np.array([d.body for d in drafts]).reshape(-1, 1)
    reach = np.maximum(np.array(reaches, np.float64).reshape(-1, 2), _LEAST_REACH) * body
    room = np.inf if pitch is None else np.maximum(pitch - body, _LEAST_REACH * body)
    gap_above = _within(top - _greatest_before(middles, bottom), room)
    gap_below = _within(-_greatest_before(-middles, -top) - bottom, room)
    upper = _within(top - np.minimum(gap_above / 2, reach[:, :1]), height)
    lower = _within(bottom + np.minimum(gap_below / 2, reach[:, 1:]), height)
    parts = [slice(d.first, d.last + 1) for d in drafts]
    return [(upper[i, part], lower[i, part]) for i, part in enumerate(parts)]


def _greatest_before(places: Doubles, values: Doubles) -> Doubles:
    """For each value (lines × stations) the greatest of its station's whose place is less; -inf where none is.

    Where a place is not a number, there is none, and the result means nothing.
    """
    order, station = np.argsort(places, axis=0), np.arange(places.shape[1])
    ranked = places[order, station]
    greatest = np.full((len(places) + 1, places.shape[1]), -np.inf)
    np.maximum.accumulate(values[order, station], axis=0, out=greatest[1:])
    rank = np.arange(len(places))[:, None]
    rank = np.where(ranked == np.roll(ranked, 1, axis=0), 0, rank)  # of several at one place the first one's
    before = np.empty_like(values)
    before[order, station] = greatest[np.maximum.accumulate(rank, axis=0), station]
    return before


def _within(values: Doubles, most: Doubles | float) -> Doubles:
    """The values, but not less than 0, nor more than ``most``."""
    return np.minimum(np.maximum(values, 0), most)


def outline(
    draft: Draft, region: tuple[Doubles, Doubles], ends: tuple[float, float], confidence: float
) -> Line:
    """The finished line between the x of its two ``ends``."""
    centres = (np.arange(draft.first, draft.last + 1) + 0.5) * STATION
    first = int(np.count_nonzero(centres <= ends[0]))
    last = max(first, int(np.count_nonzero(centres < ends[1])))
    points = np.empty((3, 2 + last - first, 2), np.float32)
    points[:, 0, 0], points[:, -1, 0] = ends
    points[:, 1:-1, 0] = centres[first:last]
    for curve, y in zip(points, (*region, draft.middle), strict=True):
        curve[0, 1], curve[-1, 1] = np.interp(ends, centres, y)
        curve[1:-1, 1] = y[first:last]
    upper, lower, baseline = (_simplified(curve) for curve in points)
    return Line(np.concatenate([upper, lower[::-1]]), baseline, confidence)


def _simplified(points: Points) -> Points:
    """The open curve with fewer points, nowhere more than half a pixel off."""
    curve = cv2.approxPolyDP(points, 0.5, closed=False)
    return np.asarray(curve, dtype=np.float32).reshape(-1, 2)
