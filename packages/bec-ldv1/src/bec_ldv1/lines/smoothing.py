"""Lines' courses without their letters' ups and downs."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.ranks import median

Doubles = NDArray[np.float64]

_SMOOTH = 9  # stations over which a line's course is smoothed
_SHORT = 3  # fewer stations have no course


@attrs.frozen(eq=False)
class EndToEnd:
    """Rows of one value at least laid end to end, each with some more places before and behind it.

    Attributes:
        starts: where the rows' own first values are among the places.
        nearest: for each place the index of the row's value that is nearest to it, in the values of all rows.
        mirrored: that of the value as far on the other side of `nearest`; the same within the row.
    """

    starts: list[int]
    nearest: NDArray[np.intp]
    mirrored: NDArray[np.intp]

    @classmethod
    def of(cls, sizes: NDArray[np.intp], margins: NDArray[np.intp]) -> EndToEnd:
        """For rows of so many values with so many places before, and as many behind."""
        whole = sizes + 2 * margins
        first = np.cumsum(sizes) - sizes
        starts = np.cumsum(whole) - whole + margins
        place = np.arange(whole.sum()) + np.repeat(first - starts, whole)
        nearest = np.minimum(np.maximum(place, np.repeat(first, whole)), np.repeat(first + sizes - 1, whole))
        return cls(starts.tolist(), nearest, 2 * nearest - place)


def smooth(rows: Sequence[Doubles]) -> list[Doubles]:
    """Of each row the running median of 5, then the running mean of ``_SMOOTH``; the ends continue as they are."""
    if not rows:
        return []
    sizes = np.array([row.size for row in rows])
    values = np.concatenate(rows)
    margins = np.minimum(_SMOOTH, sizes) // 2
    laid = EndToEnd.of(sizes, margins)
    calm = _running_median(values, sizes)
    # Mirrored through the end points, so that a slope stays a slope up to the end.
    padded = 2 * calm[laid.nearest] - calm[laid.mirrored]
    means = {reach: _running_mean(padded, 2 * reach + 1) for reach in set(margins.tolist())}
    return [
        means[reach][start - reach : start - reach + row.size]
        if row.size >= _SHORT
        else np.full_like(row, median(row))
        for row, reach, start in zip(rows, margins.tolist(), laid.starts, strict=True)
    ]


def _running_mean(values: Doubles, window: int) -> Doubles:
    """The means of all ``window`` neighbours, from the first ones on."""
    return np.convolve(values, np.ones(window) / window, mode="valid")


def _running_median(values: Doubles, sizes: NDArray[np.intp]) -> Doubles:
    """The running median of 5 in each row; a row's first and last value go on beyond it."""
    reach = 2
    laid = EndToEnd.of(sizes, np.full_like(sizes, reach))
    padded = values[laid.nearest]
    a, b, c, d, e = (padded[i : padded.size - 2 * reach + i] for i in range(2 * reach + 1))
    medians = _middle_of_five(a, b, c, d, e)
    within = np.arange(values.size) + 2 * reach * np.repeat(np.arange(sizes.size), sizes)
    return np.asarray(medians[within], np.float64)


def _middle_of_five(a: Doubles, b: Doubles, c: Doubles, d: Doubles, e: Doubles) -> Doubles:
    """The median of each place's five values: neither the least nor the greatest of the first four can be it."""
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.asarray(np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e)), np.float64)
