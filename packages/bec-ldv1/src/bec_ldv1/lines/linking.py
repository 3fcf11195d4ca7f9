"""Fragments joined to lines, left to right along the course that the page's lines take.

A gap (a shad's wide space, an ornament, a string hole) says nothing about where a line goes on, but its
neighbours do: the slope of all long fragments together, as a smooth function of the place on the page, predicts it.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.fragments import ROW, STATION, Fragment
from bec_ldv1.lines.values import LineSettings

Doubles = NDArray[np.float64]

_SLOPE_SPAN = 8  # stations over which a local slope is measured
_END_SPAN = 12  # stations that fix where a fragment ends
_STEEPEST = 0.2
_OVERLAP = 1.5 * STATION  # pieces of one line may overlap by this much


@attrs.frozen(eq=False)
class Draft:
    """A line in the making: one value per station from ``first`` on, gaps filled; in pixels of the plane.

    ``found`` is True in stations where the network found the line; ``mass`` is 0 in the others.
    """

    first: int
    top: Doubles
    bottom: Doubles
    mass: Doubles
    found: NDArray[np.bool_]
    body: float = attrs.field(init=False)  # the median height of the found stations, in pixels

    @body.default
    def _median_height(self) -> float:
        heights = np.sort((self.bottom - self.top)[self.found])
        return float(heights[heights.size // 2]) if heights.size else 0.0

    @property
    def last(self) -> int:
        """The last station's number."""
        return self.first + self.top.size - 1

    @property
    def middle(self) -> Doubles:
        """The centre line's y per station."""
        return (self.top + self.bottom) / 2

    @property
    def length(self) -> float:
        """Extent in x, in pixels."""
        return float(self.top.size * STATION)

    def cut(self, start: int, stop: int) -> Draft:
        """The stations ``start`` to ``stop`` (exclusive), counted from the draft's first."""
        part = slice(start, stop)
        return Draft(self.first + start, self.top[part], self.bottom[part], self.mass[part], self.found[part])


class Course:
    """The slope (dy/dx) of the page's lines at any place: a + b·x + c·y + d·x², fitted to long fragments."""

    def __init__(self, fragments: Sequence[Fragment], shape: tuple[int, int]) -> None:
        self._height, self._width = shape
        x, y, slope = _local_slopes(fragments)
        self._weights = np.zeros(4)
        if slope.size == 0:
            return
        middle = float(np.median(slope))
        near = np.abs(slope - middle) < 0.06
        self._weights[0] = middle
        if near.sum() >= 12:
            terms = self._terms(x[near], y[near])
            # The ridge keeps the bends at zero unless the page insists on them.
            ridge = np.diag([1e-6, 0.02, 0.02, 0.02]) * near.sum()
            self._weights = np.linalg.solve(terms.T @ terms + ridge, terms.T @ slope[near])

    def _terms(self, x: Doubles, y: Doubles) -> Doubles:
        across, down = 2 * x / self._width - 1, 2 * y / self._height - 1
        return np.stack([np.ones_like(across), across, down, across**2], axis=-1)

    def slope(self, x: Doubles, y: Doubles) -> Doubles:
        """dy/dx at the places (x, y), in pixels of the plane."""
        level, across_weight, down_weight, bend = self._weights.tolist()
        across, down = 2 * x / self._width - 1, 2 * y / self._height - 1
        slope = level + (across_weight + bend * across) * across + down_weight * down
        return np.minimum(np.maximum(slope, -_STEEPEST), _STEEPEST)


def _local_slopes(fragments: Sequence[Fragment]) -> tuple[Doubles, Doubles, Doubles]:
    xs: list[Doubles] = []
    ys: list[Doubles] = []
    slopes: list[Doubles] = []
    for f in fragments:
        if f.top.size <= _SLOPE_SPAN:
            continue
        middle = (f.top.astype(np.float64) + f.bottom) / 2 * ROW
        rise = (middle[_SLOPE_SPAN:] - middle[:-_SLOPE_SPAN]) / (_SLOPE_SPAN * STATION)
        stations = f.first + np.arange(rise.size) + _SLOPE_SPAN / 2
        xs.append(((stations + 0.5) * STATION).astype(np.float64))
        ys.append((middle[_SLOPE_SPAN:] + middle[:-_SLOPE_SPAN]) / 2)
        slopes.append(rise)
    if not slopes:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    return np.concatenate(xs), np.concatenate(ys), np.concatenate(slopes)


def link(
    fragments: Sequence[Fragment],
    course: Course,
    width: int,
    barriers: Sequence[float],
    settings: LineSettings,
) -> list[Draft]:
    """Join the fragments of a plane ``width`` pixels wide to drafts of lines.

    Of all pairs that could follow each other, the best are joined first; every end is used once. Nothing is
    joined across a ``barrier`` (x in pixels).
    """
    drafts = [_draft(f) for f in fragments]
    pairs = _candidates(drafts, course, width, barriers, settings)
    following: dict[int, int] = {}
    preceded: set[int] = set()
    for left, right in pairs:
        if left not in following and right not in preceded:
            following[left] = right
            preceded.add(right)
    lines = []
    for start in range(len(drafts)):
        if start in preceded:
            continue
        chain = [start]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        lines.append(_join([drafts[i] for i in chain]))
    return lines


def _draft(fragment: Fragment) -> Draft:
    size = fragment.top.size
    return Draft(
        fragment.first,
        fragment.top.astype(np.float64) * ROW,
        fragment.bottom.astype(np.float64) * ROW,
        fragment.mass.astype(np.float64),
        np.ones(size, bool),
    )


def _candidates(
    drafts: Sequence[Draft],
    course: Course,
    width: int,
    barriers: Sequence[float],
    settings: LineSettings,
) -> list[tuple[int, int]]:
    """All (left, right) pairs that may be neighbours in a line, the likeliest first."""
    if len(drafts) < 2:
        return []
    body = np.array([d.body for d in drafts])
    x_left = np.array([d.first * STATION for d in drafts], np.float64)
    x_right = np.array([(d.last + 1) * STATION for d in drafts], np.float64)
    y_left = np.array([_end_height(d, course, left=True) for d in drafts])
    y_right = np.array([_end_height(d, course, left=False) for d in drafts])
    gap = x_left[None, :] - x_right[:, None]
    forward = x_right[None, :] > x_right[:, None]
    middle_x = (x_left[None, :] + x_right[:, None]) / 2
    middle_y = (y_left[None, :] + y_right[:, None]) / 2
    expected = y_right[:, None] + course.slope(middle_x, middle_y) * gap
    low, high = np.minimum(body[:, None], body[None, :]), np.maximum(body[:, None], body[None, :])
    offset = np.abs(y_left[None, :] - expected) / ((low + high) / 2)
    allowed = (
        forward
        & (gap >= -_OVERLAP)
        & (gap <= settings.link_gap * width)
        & (offset <= settings.link_offset)
        & (high <= settings.link_height_ratio * low)
    )
    for x in barriers:
        allowed &= ~((x_right[:, None] <= x + STATION) & (x_left[None, :] >= x - STATION))
    cost = offset / settings.link_offset + np.maximum(gap, 0) / (10 * (low + high))
    left, right = np.nonzero(allowed)
    order = np.argsort(cost[left, right], kind="stable")
    return list(zip(left[order].tolist(), right[order].tolist(), strict=True))


def _end_height(draft: Draft, course: Course, *, left: bool) -> float:
    """The centre line's y at an end: the median of its last stations carried there along the course."""
    part = slice(None, _END_SPAN) if left else slice(-_END_SPAN, None)
    middle = (draft.top[part] + draft.bottom[part]) / 2
    start = draft.first if left else draft.last + 1 - middle.size
    x = (np.arange(start, start + middle.size) + 0.5) * STATION
    end = float(draft.first if left else draft.last + 1) * STATION
    heights = np.sort(middle + course.slope((x + end) / 2, middle) * (end - x))
    return float(heights[heights.size // 2] + heights[(heights.size - 1) // 2]) / 2


def _join(pieces: Sequence[Draft]) -> Draft:
    """One draft over all pieces; where two overlap the later one counts, gaps are bridged by straight lines."""
    first, last = min(p.first for p in pieces), max(p.last for p in pieces)
    size = last - first + 1
    top, bottom, mass = np.zeros(size), np.zeros(size), np.zeros(size)
    found = np.zeros(size, bool)
    for piece in pieces:
        part = slice(piece.first - first, piece.last - first + 1)
        top[part], bottom[part], mass[part] = piece.top, piece.bottom, piece.mass
        found[part] = True
    if not found.all():
        known, gaps = np.flatnonzero(found), np.flatnonzero(~found)
        top[gaps] = np.interp(gaps, known, top[known])
        bottom[gaps] = np.interp(gaps, known, bottom[known])
    return Draft(first, top, bottom, mass, found)
