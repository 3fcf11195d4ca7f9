"""From drafts to outlines: ends on ink, smooth bands, regions that reach from gap to gap."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.linking import Doubles, Draft
from bec_ldv1.lines.values import Line, Points

HALF = 2
"""Ink is looked at on a plane of half the size."""

_SMOOTH = 9  # stations over which a line's course is smoothed
_OUTER = 0.45  # how far a line reaches beyond its band where no other line is, in bodies


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


def band_ink(draft: Draft, ink: NDArray[np.uint8]) -> Doubles:
    """Share of ink in the band, per column of the half-size plane, from the draft's first station on."""
    height, width = ink.shape
    x0 = draft.first * STATION // HALF
    x1 = min(width, (draft.last + 1) * STATION // HALF)
    low = max(0, int(draft.top.min()) // HALF)
    high = min(height, int(np.ceil(draft.bottom.max())) // HALF + 1)
    window = ink[low:high, x0:x1]
    if window.size == 0:
        return np.zeros(0)
    stations = np.minimum(np.arange(x1 - x0) * HALF // STATION, draft.top.size - 1)
    top = draft.top[stations] / HALF - low
    bottom = draft.bottom[stations] / HALF - low
    rows = np.arange(window.shape[0])[:, None] + 0.5
    inside = (rows >= top[None, :]) & (rows < bottom[None, :])
    return np.asarray((window * inside).sum(axis=0) / np.maximum(bottom - top, 1.0), dtype=np.float64)


def ink_ends(columns: Doubles, body: float) -> tuple[int, int] | None:
    """First and last+1 column (half-size) of the band that hold a letter; None when there is no ink.

    A column counts when its neighbourhood of half a body holds real ink, so that specks don't.
    """
    if columns.size == 0:
        return None
    window = max(3, round(body / HALF / 2)) | 1
    near = np.convolve(columns, np.ones(window) / window, mode="same")
    solid = np.flatnonzero((columns > 0) & (near > 0.05))
    return None if solid.size == 0 else (int(solid[0]), int(solid[-1]) + 1)


def smooth(values: Doubles) -> Doubles:
    """Running median of 5, then running mean of ``_SMOOTH``; the ends continue as they are."""
    if values.size < 3:
        return np.full_like(values, np.median(values))
    padded = np.pad(values, 2, mode="edge")
    calm = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)[:, 2]
    reach = min(_SMOOTH, calm.size) // 2
    # Mirrored through the end points, so that a slope stays a slope up to the end.
    left = 2 * calm[0] - calm[1 : reach + 1][::-1]
    right = 2 * calm[-1] - calm[-reach - 1 : -1][::-1]
    window = 2 * reach + 1
    return np.convolve(np.concatenate([left, calm, right]), np.ones(window) / window, mode="valid")


def smoothed(draft: Draft) -> Draft:
    """The draft with a smooth course and height."""
    middle, half = smooth(draft.middle), smooth((draft.bottom - draft.top) / 2)
    return Draft(draft.first, middle - half, middle + half, draft.mass, draft.found)


def regions(drafts: Sequence[Draft], stations: int, shape: tuple[int, int]) -> list[tuple[Doubles, Doubles]]:
    """For each draft the top and bottom of its region per station: half way to its neighbours' bands.

    Where no neighbour is near, a region reaches ``_OUTER`` bodies beyond its band.
    """
    top = np.full((len(drafts), stations), np.nan)
    bottom = np.full((len(drafts), stations), np.nan)
    for i, d in enumerate(drafts):
        top[i, d.first : d.last + 1] = d.top
        bottom[i, d.first : d.last + 1] = d.bottom
    middles = (top + bottom) / 2
    result = []
    for i, d in enumerate(drafts):
        part = slice(d.first, d.last + 1)
        reach = _OUTER * d.body
        own = middles[i, part]
        with np.errstate(invalid="ignore"):
            above = np.where(middles[:, part] < own, bottom[:, part], -np.inf)
            below = np.where(middles[:, part] > own, top[:, part], np.inf)
        gap_above = np.maximum(top[i, part] - above.max(axis=0), 0)
        gap_below = np.maximum(below.min(axis=0) - bottom[i, part], 0)
        upper = top[i, part] - np.minimum(gap_above / 2, reach)
        lower = bottom[i, part] + np.minimum(gap_below / 2, reach)
        result.append((np.clip(upper, 0, shape[0]), np.clip(lower, 0, shape[0])))
    return result


def outline(
    draft: Draft, region: tuple[Doubles, Doubles], ends: tuple[float, float], confidence: float
) -> Line:
    """The finished line between the x of its two ``ends``."""
    centres = (np.arange(draft.first, draft.last + 1) + 0.5) * STATION
    inner = centres[(centres > ends[0]) & (centres < ends[1])]
    x = np.concatenate([[ends[0]], inner, [ends[1]]])
    top = np.interp(x, centres, region[0])
    bottom = np.interp(x, centres, region[1])
    middle = np.interp(x, centres, draft.middle)
    upper = _simplified(np.stack([x, top], axis=1))
    lower = _simplified(np.stack([x, bottom], axis=1))
    return Line(
        polygon=np.concatenate([upper, lower[::-1]]),
        baseline=_simplified(np.stack([x, middle], axis=1)),
        confidence=confidence,
    )


def _simplified(points: Doubles) -> Points:
    """The open curve with fewer points, nowhere more than half a pixel off."""
    curve = cv2.approxPolyDP(points.astype(np.float32).reshape(-1, 1, 2), 0.5, closed=False)
    return np.asarray(curve, dtype=np.float32).reshape(-1, 2)
