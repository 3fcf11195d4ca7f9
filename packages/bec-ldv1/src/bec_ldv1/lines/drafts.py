"""Lines in the making, and the course that the lines of a page take."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.fragments import ROW, STATION, Fragment
from bec_ldv1.lines.ranks import median

Doubles = NDArray[np.float64]
_Place = TypeVar("_Place", float, Doubles)

_SLOPE_SPAN = 8  # stations over which a local slope is measured
_STEEPEST = 0.2
_START = 12  # stations that tell at which height a line starts


@attrs.frozen(eq=False, slots=False)  # what is worked out once is then an attribute as others
class Draft:
    """A line in the making: one value per station from ``first`` on, gaps filled; in pixels of the plane.

    ``found`` is True in stations where the network found the line; ``mass`` is 0 in the others.
    """

    first: int
    top: Doubles
    bottom: Doubles
    mass: Doubles
    found: NDArray[np.bool_]

    @cached_property
    def body(self) -> float:
        """The median height of the found stations (else of all), in pixels."""
        heights = self.bottom - self.top
        if self.found.any():
            heights = heights[self.found]
        heights.sort()
        return float(heights[heights.size // 2]) if heights.size else 0.0

    @cached_property
    def last(self) -> int:
        """The last station's number."""
        return self.first + self.top.size - 1

    @cached_property
    def middle(self) -> Doubles:
        """The centre line's y per station."""
        return (self.top + self.bottom) / 2

    @cached_property
    def level(self) -> float:
        """The median of `middle`."""
        return median(self.middle)

    @cached_property
    def start(self) -> float:
        """The y at which the line starts: the median of the first stations' `middle`."""
        return median(self.middle[:_START])

    @cached_property
    def reach(self) -> tuple[float, float]:
        """The least and the greatest of `middle`: as far apart as can be where there is no station."""
        return float(self.middle.min(initial=np.inf)), float(self.middle.max(initial=-np.inf))

    @cached_property
    def span(self) -> tuple[float, float]:
        """The least of ``top`` and the greatest of ``bottom``."""
        return float(self.top.min()), float(self.bottom.max())

    @cached_property
    def length(self) -> float:
        """Extent in x, in pixels."""
        return float(self.top.size * STATION)

    def cut(self, start: int, stop: int) -> Draft:
        """The stations ``start`` to ``stop`` (exclusive), counted from the draft's first."""
        if start == 0 and stop >= self.top.size:
            return self
        part = slice(start, stop)
        return Draft(self.first + start, self.top[part], self.bottom[part], self.mass[part], self.found[part])


class Course:
    """The slope (dy/dx) of the page's lines at any place: a + b·x + c·y + d·x², fitted to long fragments."""

    def __init__(self, fragments: Sequence[Fragment], shape: tuple[int, int]) -> None:
        self._height, self._width = shape
        x, y, slope = _local_slopes(fragments)
        self._weights = [0.0, 0.0, 0.0, 0.0]
        if slope.size == 0:
            return
        middle = median(slope)
        near = np.abs(slope - middle) < 0.06
        self._weights[0] = middle
        if near.sum() >= 12:
            terms = self._terms(x[near], y[near])
            # The ridge keeps the bends at zero unless the page insists on them.
            ridge = np.diag([1e-6, 0.02, 0.02, 0.02]) * near.sum()
            self._weights = np.linalg.solve(terms.T @ terms + ridge, terms.T @ slope[near]).tolist()

    def _terms(self, x: Doubles, y: Doubles) -> Doubles:
        across, down = 2 * x / self._width - 1, 2 * y / self._height - 1
        return np.stack([np.ones_like(across), across, down, across**2], axis=-1)

    def slope(self, x: Doubles, y: Doubles) -> Doubles:
        """dy/dx at the places (x, y), in pixels of the plane."""
        return np.minimum(np.maximum(self._fitted(x, y), -_STEEPEST), _STEEPEST)

    def slope_at(self, x: float, y: float) -> float:
        """`slope` at one place."""
        return min(max(self._fitted(x, y), -_STEEPEST), _STEEPEST)

    def _fitted(self, x: _Place, y: _Place) -> _Place:
        """The slope at a place, or at places, without its bounds."""
        level, across_weight, down_weight, bend = self._weights
        across, down = 2 * x / self._width - 1, 2 * y / self._height - 1
        return level + (across_weight + bend * across) * across + down_weight * down


def _local_slopes(fragments: Sequence[Fragment]) -> tuple[Doubles, Doubles, Doubles]:
    """Where each stretch of ``_SLOPE_SPAN`` stations of a fragment has its middle (x, y), and its slope."""
    long = [f for f in fragments if f.top.size > _SLOPE_SPAN]
    if not long:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    top, bottom = np.concatenate([f.top for f in long]), np.concatenate([f.bottom for f in long])
    sizes = np.array([f.top.size for f in long])
    starts = np.cumsum(sizes) - sizes
    # Fragments lie end to end: no stretch begins where its fragment ends before it.
    begins = np.arange(top.size - _SLOPE_SPAN)
    begins = begins[begins + _SLOPE_SPAN < np.repeat(starts + sizes, sizes)[: begins.size]]
    middle = (top.astype(np.float64) + bottom) / 2 * ROW
    left, right = middle[begins], middle[begins + _SLOPE_SPAN]
    station = begins + np.repeat([f.first for f in long] - starts, sizes - _SLOPE_SPAN)
    x = (station + (_SLOPE_SPAN / 2 + 0.5)) * STATION
    return x, (right + left) / 2, (right - left) / (_SLOPE_SPAN * STATION)


def draft_of(fragment: Fragment) -> Draft:
    """The fragment as a draft, in pixels."""
    size = fragment.top.size
    return Draft(
        fragment.first,
        fragment.top.astype(np.float64) * ROW,
        fragment.bottom.astype(np.float64) * ROW,
        fragment.mass.astype(np.float64),
        np.ones(size, bool),
    )


def join(pieces: Sequence[Draft]) -> Draft:
    """One draft over all pieces; where two overlap the band holds both, gaps are bridged by straight lines."""
    if len(pieces) == 1:
        return pieces[0]
    first, last = min(p.first for p in pieces), max(p.last for p in pieces)
    size = last - first + 1
    top, bottom, mass = np.zeros(size), np.zeros(size), np.zeros(size)
    found = np.zeros(size, bool)
    for piece in pieces:
        part = slice(piece.first - first, piece.last - first + 1)
        both = found[part] & piece.found
        top[part] = np.where(
            both, np.minimum(top[part], piece.top), np.where(piece.found, piece.top, top[part])
        )
        bottom[part] = np.where(
            both, np.maximum(bottom[part], piece.bottom), np.where(piece.found, piece.bottom, bottom[part])
        )
        mass[part] += piece.mass
        found[part] |= piece.found
    if not found.all():
        known, gaps = np.flatnonzero(found), np.flatnonzero(~found)
        top[gaps] = np.interp(gaps, known, top[known])
        bottom[gaps] = np.interp(gaps, known, bottom[known])
    return Draft(first, top, bottom, mass, found)
