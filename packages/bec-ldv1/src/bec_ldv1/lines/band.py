"""The ink around a line, straightened along the line's course, and what can be told from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.drafts import Doubles, Draft
from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.ranks import percentile
from bec_ldv1.lines.shape import HALF
from bec_ldv1.lines.smoothing import EndToEnd, smooth

_FAINT = 0.2
_GUIDE_LENGTH = 4.0  # bodies from which on a thin straight stroke along a line is a guide line …
_GUIDE_THICKNESS = 0.2  # … and its greatest thickness

Ints = NDArray[np.int32]


@attrs.frozen(eq=False, slots=False)
class BandInk:
    """The ink (1) around a draft, straightened along its course, column by column.

    ``columns`` (uint8) holds a row of values for each half-size pixel column, from the highest place looked at to the
    lowest. The draft's centre line is the middle one; ``body`` is its height in them.
    """

    columns: NDArray[np.uint8]
    body: float

    @property
    def height(self) -> int:
        """How many places of a column were looked at."""
        return int(self.columns.shape[1])

    def share(self, above: float, below: float) -> Doubles:
        """Share of ink per column between ``above`` and ``below`` the centre (in bodies, down positive).

        Places that were not looked at count as the nearest one.
        """
        start = min(max(0, self.height // 2 + round(above * self.body)), self.height - 1)
        stop = min(self.height, max(start + 1, self.height // 2 + round(below * self.body)))
        counts = cv2.reduce(self.columns[:, start:stop], 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
        return np.asarray(counts[:, 0] / (stop - start), dtype=np.float64)

    @cached_property
    def profile(self) -> Ints:
        """How much ink there is at each height, over all columns."""
        return np.asarray(cv2.reduce(self.columns, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0], np.int32)

    def own_profile(self) -> Ints:
        """`profile` within the band: half a body around the centre."""
        middle, half = self.height // 2, max(1, round(self.body / 2))
        return self.profile[max(0, middle - half) : middle + half + 1]


def straightened_ink(
    drafts: Sequence[Draft], ink: NDArray[np.uint8], around: Sequence[float]
) -> list[BandInk]:
    """The half-size ink so many bodies around each draft's centre, every column shifted so that it is level."""
    reaches = [max(2, math.ceil(far * draft.body / HALF)) for draft, far in zip(drafts, around, strict=True)]
    most = max(reaches, default=0)
    height, width = ink.shape
    white = 2 * most + 1  # around the plane, for the columns of a course that leaves it
    upended = np.asarray(
        cv2.copyMakeBorder(cv2.transpose(ink), 0, 0, white, white, cv2.BORDER_CONSTANT, value=0), np.uint8
    )
    levels = _levels(drafts, -most - 1, height + most, white - most)
    looks = np.lib.stride_tricks.sliding_window_view(upended, 2 * most + 1, axis=1)
    x = np.arange(width)
    bands = []
    for draft, reach, level in zip(drafts, reaches, levels, strict=True):
        left = draft.first * STATION // HALF
        across = x[left : left + level.size]
        seen = looks[:, :, most - reach : most + reach + 1]
        bands.append(BandInk(seen[across, level[: across.size]], draft.body / HALF))
    return bands


def _levels(drafts: Sequence[Draft], least: int, most: int, offset: int) -> list[NDArray[np.intp]]:
    """For each draft the row of the half-size plane in which its smooth course is, per half-size column.

    Rows beyond ``least`` and ``most`` count as these; then ``offset`` is added.
    """
    if not drafts:
        return []
    sizes = np.array([draft.top.size for draft in drafts])
    middles = np.concatenate(smooth([draft.middle for draft in drafts])) / HALF
    # With one more station before and behind, in which a course goes on level, none meets the next one's.
    laid = EndToEnd.of(sizes, np.ones_like(sizes))
    step = STATION // HALF
    centres = (np.arange(laid.nearest.size) + 0.5) * step
    course = np.rint(np.interp(np.arange(laid.nearest.size * step), centres, middles[laid.nearest]))
    levels = np.minimum(np.maximum(course, least), most).astype(np.intp) + offset
    return [
        levels[start * step : (start + size) * step]
        for start, size in zip(laid.starts, sizes.tolist(), strict=True)
    ]


def without_guides(band: BandInk) -> BandInk:
    """The band without the ruled lines that run along it, which a page's skew or bend hides from ``without_rules``.

    Where letters stand on or hang from a guide line, they stay.
    """
    thickness = max(2, round(_GUIDE_THICKNESS * band.body) + 1)
    thin = _no_higher_than(band.columns, thickness)
    # A break or a step of a pixel ends no guide line; strokes that fill the height with each other are none.
    wider = np.asarray(cv2.dilate(thin, np.ones((5, 3), np.uint8)), dtype=np.uint8)
    whole = _no_higher_than(wider, thickness + 3)
    length = max(9, round(_GUIDE_LENGTH * band.body))
    along = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    return BandInk(band.columns & ~(thin & np.asarray(along, np.uint8)), band.body)


def _no_higher_than(columns: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """What is not part of a run of ``most`` pixels of a column or more."""
    high = cv2.morphologyEx(columns, cv2.MORPH_OPEN, np.ones((1, most), np.uint8))
    return np.asarray(cv2.subtract(columns, high), dtype=np.uint8)


def one_below_the_other(rows: Sequence[Doubles]) -> Doubles:
    """The rows as one array, at least one, with zeros behind those that are shorter."""
    table = np.zeros((len(rows), max(row.size for row in rows)))
    for place, row in zip(table, rows, strict=True):
        place[: row.size] = row
    return table


def running_mean(rows: Doubles, widths: Sequence[float]) -> Doubles:
    """In each of the rows the mean of about so many neighbours of each value; beyond the ends are zeros."""
    count, size = rows.shape
    halves = np.array([max(1, round(width / 2)) for width in widths])[:, None]
    sums = np.zeros((count, size + 1))
    np.cumsum(rows, axis=1, out=sums[:, 1:])
    place, row = np.arange(size), np.arange(count)[:, None]
    behind = sums[row, np.minimum(place + (halves + 1), size)]
    return np.asarray((behind - sums[row, np.maximum(place - halves, 0)]) / (2 * halves + 1), np.float64)


def ink_ends(shares: Doubles, bands: Sequence[BandInk]) -> list[tuple[int, int] | None]:
    """First and last+1 column of each band that hold a letter; None where there is no ink.

    ``shares`` are the bands' shares of ink per column, a row for each. A column counts when its neighbourhood of a
    body's width holds a fifth of the line's typical ink: specks and smears are fainter.
    """
    near = running_mean(shares, [band.body for band in bands])
    typical = [percentile(row[: len(band.columns)], 75) for row, band in zip(near, bands, strict=True)]
    solid = (shares > 0) & (near > 0.2 * np.array(typical)[:, None])
    first, last = solid.argmax(axis=1), solid.shape[1] - solid[:, ::-1].argmax(axis=1)
    inked = solid[np.arange(len(bands)), first]
    ends = zip(first.tolist(), last.tolist(), strict=True)
    return [both if some else None for both, some in zip(ends, inked.tolist(), strict=True)]


def ink_spread(band: BandInk) -> float:
    """Standard deviation of the ink's distance from the centre line, in bodies.

    Ink all over a band gives 0.29, a ruled line next to nothing.
    """
    profile = band.own_profile().astype(np.float64)
    total = float(np.add.reduce(profile))
    if total == 0:
        return 0.0
    places = np.arange(profile.size)
    mean = float(np.add.reduce(profile * places)) / total
    return math.sqrt(float(np.add.reduce(profile * (places - mean) ** 2)) / total) / band.body


def ink_height(band: BandInk) -> float:
    """From the highest to the lowest ink within the band, in bodies."""
    inked = band.own_profile().nonzero()[0]
    return float(inked[-1] + 1 - inked[0]) / band.body if inked.size else 0.0


def ink_reach(band: BandInk) -> tuple[float, float]:
    """How far the line's ink goes on above and below its band, in bodies: vowels and descenders.

    It ends where a row has under a tenth of the band's ink. What another line has there is cut off later,
    half way to its band.
    """
    middle, half = band.height // 2, round(band.body / 2)
    profile = np.convolve(band.profile / len(band.columns), np.ones(3) / 3, mode="same")
    own = profile[max(0, middle - half) : middle + half + 1]
    faint = profile < _FAINT * (float(np.add.reduce(own)) / own.size)
    above = _until(faint[: max(0, middle - half)][::-1])
    return above / band.body, _until(faint[middle + half + 1 :]) / band.body


def _until(flags: NDArray[np.bool_]) -> int:
    """How many come before the first that is True."""
    return int(flags.argmax()) if flags.any() else flags.size
