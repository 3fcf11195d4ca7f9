"""A line's course without its letters' ups and downs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.ranks import median

Doubles = NDArray[np.float64]

_SMOOTH = 9  # stations over which a line's course is smoothed


def smooth(values: Doubles) -> Doubles:
    """Running median of 5, then running mean of ``_SMOOTH``; the ends continue as they are."""
    if values.size < 3:
        return np.full_like(values, median(values))
    padded = np.concatenate([values[[0, 0]], values, values[[-1, -1]]])
    calm = _middle_of_five(*(padded[i : i + values.size] for i in range(5)))
    reach = min(_SMOOTH, calm.size) // 2
    # Mirrored through the end points, so that a slope stays a slope up to the end.
    left = 2 * calm[0] - calm[1 : reach + 1][::-1]
    right = 2 * calm[-1] - calm[-reach - 1 : -1][::-1]
    window = 2 * reach + 1
    return np.convolve(np.concatenate([left, calm, right]), np.ones(window) / window, mode="valid")


def _middle_of_five(a: Doubles, b: Doubles, c: Doubles, d: Doubles, e: Doubles) -> Doubles:
    """The median of each place's five values: neither the least nor the greatest of the first four can be it."""
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.asarray(np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e)), np.float64)
