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
    result = []
    for i, (d, reach) in enumerate(zip(drafts, reaches, strict=True)):
        part = slice(d.first, d.last + 1)
        own = middles[i, part]
        with np.errstate(invalid="ignore"):
            above = np.where(middles[:, part] < own, bottom[:, part], -np.inf)
            below = np.where(middles[:, part] > own, top[:, part], np.inf)
        room = np.inf if pitch is None else max(pitch - d.body, _LEAST_REACH * d.body)
        gap_above = np.clip(top[i, part] - above.max(axis=0), 0, room)
        gap_below = np.clip(below.min(axis=0) - bottom[i, part], 0, room)
        upper = top[i, part] - np.minimum(gap_above / 2, max(reach[0], _LEAST_REACH) * d.body)
        lower = bottom[i, part] + np.minimum(gap_below / 2, max(reach[1], _LEAST_REACH) * d.body)
        result.append((np.clip(upper, 0, height), np.clip(lower, 0, height)))
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
