"""From drafts to outlines: ends on ink, smooth bands, regions that reach from gap to gap."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.drafts import Doubles, Draft
from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.ranks import percentile
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


@attrs.frozen(eq=False)
class BandInk:
    """The ink around a draft, straightened along its course: ``rows`` (bool), one column per half-size pixel.

    The draft's centre line is the middle row; ``body`` is its height in rows.
    """

    rows: NDArray[np.bool_]
    body: float

    def share(self, above: float, below: float) -> Doubles:
        """Share of ink per column between ``above`` and ``below`` the centre (in bodies, down positive).

        Rows that were not looked at count as the nearest one.
        """
        height = self.rows.shape[0]
        start = min(max(0, height // 2 + round(above * self.body)), height - 1)
        stop = min(height, max(start + 1, height // 2 + round(below * self.body)))
        return np.asarray(self.rows[start:stop].mean(axis=0), dtype=np.float64)


_AROUND = 3.0  # how far around its centre a line's ink is looked at, in bodies
_FAINT = 0.2


def straightened_ink(draft: Draft, ink: NDArray[np.uint8], around: float = _AROUND) -> BandInk:
    """The half-size ink within ``around`` bodies of the centre, every column shifted so that it is level."""
    x = np.arange(draft.first * STATION // HALF, min(ink.shape[1], (draft.last + 1) * STATION // HALF))
    centres = (np.arange(draft.first, draft.last + 1) + 0.5) * STATION / HALF
    middle = np.rint(np.interp(x, centres, draft.smooth_middle / HALF))
    reach = max(2, int(np.ceil(around * draft.body / HALF)))
    y = (middle[None, :] + np.arange(-reach, reach + 1)[:, None]).astype(np.float32)
    columns = np.broadcast_to(x.astype(np.float32), y.shape)
    rows = cv2.remap(ink, columns, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return BandInk(np.asarray(rows, dtype=np.bool_), draft.body / HALF)


_GUIDE_LENGTH = 4.0  # bodies from which on a thin straight stroke along a line is a guide line …
_GUIDE_THICKNESS = 0.2  # … and its greatest thickness


def without_guides(band: BandInk) -> BandInk:
    """The band without the ruled lines that run along it, which a page's skew or bend hides from ``without_rules``.

    Where letters stand on or hang from a guide line, they stay.
    """
    rows = band.rows.astype(np.uint8)
    thickness = max(2, round(_GUIDE_THICKNESS * band.body) + 1)
    thin = _no_higher_than(rows, thickness)
    # A break or a step of a pixel ends no guide line; strokes that fill the height with each other are none.
    wider = np.asarray(cv2.dilate(thin, np.ones((3, 5), np.uint8)), dtype=np.uint8)
    whole = _no_higher_than(wider, thickness + 3)
    length = max(9, round(_GUIDE_LENGTH * band.body))
    along = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    return BandInk(band.rows & ~((thin > 0) & (along > 0)), band.body)


def _no_higher_than(rows: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """What is not part of a run of ``most`` rows or more."""
    high = cv2.morphologyEx(rows, cv2.MORPH_OPEN, np.ones((most, 1), np.uint8))
    return np.asarray(cv2.subtract(rows, high), dtype=np.uint8)


def running_mean(values: Doubles, width: float) -> Doubles:
    """The mean of about ``width`` neighbours of each value; beyond the ends are zeros."""
    half = max(1, round(width / 2))
    sums = np.cumsum(np.concatenate([np.zeros(half + 1), values, np.zeros(half)]))
    return np.asarray((sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1), dtype=np.float64)


def ink_ends(columns: Doubles, body: float) -> tuple[int, int] | None:
    """First and last+1 column of the band that hold a letter; None when there is no ink.

    A column counts when its neighbourhood of a body's width holds a fifth of the line's typical ink: specks
    and smears are fainter.
    """
    if not columns.any():
        return None
    near = running_mean(columns, body)
    typical = percentile(near, 75)
    solid = np.flatnonzero((columns > 0) & (near > 0.2 * typical))
    return None if solid.size == 0 else (int(solid[0]), int(solid[-1]) + 1)


def ink_spread(band: BandInk) -> float:
    """Standard deviation of the ink's distance from the centre line, in bodies.

    Ink all over a band gives 0.29, a ruled line next to nothing.
    """
    middle = band.rows.shape[0] // 2
    half = max(1, round(band.body / 2))
    profile = band.rows[max(0, middle - half) : middle + half + 1].sum(axis=1).astype(np.float64)
    total = profile.sum()
    if total == 0:
        return 0.0
    places = np.arange(profile.size)
    mean = (profile * places).sum() / total
    return float(np.sqrt((profile * (places - mean) ** 2).sum() / total)) / band.body


def ink_height(band: BandInk) -> float:
    """From the highest to the lowest ink within the band, in bodies."""
    middle, half = band.rows.shape[0] // 2, max(1, round(band.body / 2))
    rows = np.flatnonzero(band.rows[max(0, middle - half) : middle + half + 1].any(axis=1))
    return float(rows[-1] + 1 - rows[0]) / band.body if rows.size else 0.0


def ink_reach(band: BandInk) -> tuple[float, float]:
    """How far the line's ink goes on above and below its band, in bodies: vowels and descenders.

    It ends where a row has under a tenth of the band's ink. What another line has there is cut off later,
    half way to its band.
    """
    middle = band.rows.shape[0] // 2
    half = round(band.body / 2)
    profile = np.convolve(band.rows.mean(axis=1), np.ones(3) / 3, mode="same")
    least = _FAINT * float(profile[max(0, middle - half) : middle + half + 1].mean())
    reaches = []
    for side in (profile[: max(0, middle - half)][::-1], profile[middle + half + 1 :]):
        faint = np.flatnonzero(side < least)
        rows = int(faint[0]) if faint.size else side.size
        reaches.append(rows / band.body)
    return reaches[0], reaches[1]


def smoothed(draft: Draft) -> Draft:
    """The draft with a smooth course and height."""
    middle, half = draft.smooth_middle, smooth((draft.bottom - draft.top) / 2)
    return Draft(draft.first, middle - half, middle + half, draft.mass, draft.found)


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
