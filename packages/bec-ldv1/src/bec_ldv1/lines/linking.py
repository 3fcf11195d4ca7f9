"""Drafts joined to lines, left to right along the course that the page's lines take.

A gap (a shad's wide space, an ornament, a string hole) says nothing about where a line goes on, but its
neighbours do: the slope of all long fragments together, as a smooth function of the place on the page, predicts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.drafts import Course, Doubles, Draft, join
from bec_ldv1.lines.fragments import STATION

_END_SPANS = (20, 60)  # stations that fix where a draft ends: its course near by, and on the whole
_ALONE = 0.8  # bodies that pieces of a title may be off each other's course
_OVERLAP = 0.3  # pieces of one line may overlap by this share of the shorter one


def link(
    drafts: Sequence[Draft],
    course: Course,
    barriers: Sequence[float],
    *,
    max_gap: float,
    max_ratio: float,
    offset: float,
    pitch: float | None = None,
) -> list[Draft]:
    """Join the drafts that follow each other in a line.

    Of all pairs that could, the best are joined first; every end is used once. Nothing is joined across a
    ``barrier`` (x in pixels), over a gap wider than ``max_gap`` pixels, nor when the bodies differ by more than
    ``max_ratio``, unless they all but touch. A piece may be off the course by ``offset`` bodies, or, when the
    page's ``pitch`` (the distance between its lines) is given, by ``offset`` pitches.
    """
    if len(drafts) < 2:
        return list(drafts)
    body = np.array([d.body for d in drafts])
    unit = (body[:, None] + body[None, :]) / 2 if pitch is None else np.full((len(drafts),) * 2, pitch)
    gap = _gaps(drafts)
    likeness = np.maximum(body[:, None], body[None, :]) / np.minimum(body[:, None], body[None, :])
    allowed = (gap >= -_overlap(drafts)) & (gap <= max_gap) & ((likeness <= max_ratio) | (gap <= unit))
    allowed &= _rightwards(drafts) & ~_separated(drafts, barriers)
    if not allowed.any():  # as on most pages at the second time
        return list(drafts)
    missed_by = _missed_by(drafts, course, gap)
    allowed &= missed_by <= offset * unit
    cost = missed_by / (offset * unit) + np.maximum(gap, 0) / (20 * unit)
    left, right = np.nonzero(allowed)
    order = np.argsort(cost[left, right], kind="stable")
    return _chained(drafts, zip(left[order].tolist(), right[order].tolist(), strict=True))


def joined_alone(drafts: Sequence[Draft], course: Course, max_gap: float) -> list[Draft]:
    """Join the pieces of lines that stand alone, as titles do: no neighbours tell their course or their distance.

    Large letters apart are found each by its own height, and the course is a guess from little; so a piece may be off
    it, or off the level, by less than two lines that touch.
    """
    for way in (course, Course((), (1, 1))):
        touching = max((d.body for d in drafts), default=0.0)
        drafts = link(drafts, way, (), max_gap=max_gap, max_ratio=np.inf, offset=_ALONE, pitch=touching)
    return list(drafts)


def _chained(drafts: Sequence[Draft], pairs: Iterable[tuple[int, int]]) -> list[Draft]:
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
        lines.append(join([drafts[i] for i in chain]))
    return lines


def _gaps(drafts: Sequence[Draft]) -> Doubles:
    """For all pairs (left, right) the gap in x."""
    x_left = np.array([d.first * STATION for d in drafts], np.float64)
    x_right = np.array([(d.last + 1) * STATION for d in drafts], np.float64)
    return np.asarray(x_left[None, :] - x_right[:, None], dtype=np.float64)


def _missed_by(drafts: Sequence[Draft], course: Course, gap: Doubles) -> Doubles:
    """For all pairs (left, right) by how much the right one's start misses the course.

    An end can lie off its line's course where only the letters' heads or feet were found; so the smaller miss
    of a near and a far look counts.
    """
    x_left = np.array([d.first * STATION for d in drafts], np.float64)
    x_right = np.array([(d.last + 1) * STATION for d in drafts], np.float64)
    middle_x = (x_left[None, :] + x_right[:, None]) / 2
    missed_by = np.full(gap.shape, np.inf)
    for span in _END_SPANS:
        y_left = np.array([_end_height(d, course, span, left=True) for d in drafts])
        y_right = np.array([_end_height(d, course, span, left=False) for d in drafts])
        middle_y = (y_left[None, :] + y_right[:, None]) / 2
        expected = y_right[:, None] + course.slope(middle_x, middle_y) * gap
        missed_by = np.minimum(missed_by, np.abs(y_left[None, :] - expected))
    return missed_by


def _overlap(drafts: Sequence[Draft]) -> Doubles:
    length = np.array([d.length for d in drafts])
    shorter = np.minimum(length[:, None], length[None, :])
    return np.asarray(np.maximum(1.5 * STATION, _OVERLAP * shorter), dtype=np.float64)


def _rightwards(drafts: Sequence[Draft]) -> NDArray[np.bool_]:
    last = np.array([d.last for d in drafts])
    first = np.array([d.first for d in drafts])
    return np.asarray((last[None, :] > last[:, None]) & (first[None, :] > first[:, None]), dtype=np.bool_)


def _separated(drafts: Sequence[Draft], barriers: Sequence[float]) -> NDArray[np.bool_]:
    start = np.array([d.first * STATION for d in drafts])
    end = np.array([(d.last + 1) * STATION for d in drafts])
    apart = np.zeros((len(drafts), len(drafts)), bool)
    for x in barriers:
        apart |= (end[:, None] <= x + STATION) & (start[None, :] >= x - STATION)
    return apart


def _end_height(draft: Draft, course: Course, span: int, *, left: bool) -> float:
    """The centre line's y at an end: the median of its last ``span`` stations carried there along the course."""
    part = slice(None, span) if left else slice(-span, None)
    middle = (draft.top[part] + draft.bottom[part]) / 2
    start = draft.first if left else draft.last + 1 - middle.size
    x = (np.arange(start, start + middle.size) + 0.5) * STATION
    end = float(draft.first if left else draft.last + 1) * STATION
    heights = np.sort(middle + course.slope((x + end) / 2, middle) * (end - x))
    return float(heights[heights.size // 2] + heights[(heights.size - 1) // 2]) / 2
