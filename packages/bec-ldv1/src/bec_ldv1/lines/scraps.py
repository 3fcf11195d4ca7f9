"""Tell real lines from what only lies beside one: halves of tall letters, descenders, remains of bridges."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.drafts import Draft
from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.ranks import median, percentile
from bec_ldv1.lines.shape import HALF

_TOO_NEAR = 0.8  # centres nearer than this (in bodies of the larger line) are one line's
_NEAR = 2.2  # up to here the ink between decides, in bodies of the larger line
_CONTINUOUS = 0.5  # least ink between two bands, over the fainter one's; between lines it is mostly less
_NOTE_LENGTH = 0.35  # what is shorter than this share of the line beside it …
_NOTE_DISTANCE = 0.7  # … and nearer than this share of the pitch is a note between the lines
_MIN_PITCHES = 2
_LARGEST_PITCH = 5.0  # in bodies; where lines are farther apart, as on forms, they are not evenly set
_SEVERAL = 4  # lines from which on their distance is trusted


def without_crowding(drafts: Sequence[Draft], pitch: float | None = None) -> list[Draft]:
    """The drafts without those that lie too near to a heavier one to be a line of their own.

    When the page's ``pitch`` (the distance between its lines, in pixels) is known, short pieces go that lie
    between two lines: notes are not lines of the text.
    """
    far = max(_TOO_NEAR * max((d.body for d in drafts), default=0.0), _NOTE_DISTANCE * (pitch or 0.0))
    return _without_beaten(drafts, far, lambda draft, other: _crowds(draft, other, pitch))


def _without_beaten(
    drafts: Sequence[Draft], far: float, beaten: Callable[[Draft, Draft], bool]
) -> list[Draft]:
    """The drafts, heaviest first, without those that are ``beaten`` by a heavier one that stays.

    None is by one whose centre is ``far`` pixels or more away everywhere.
    """
    ranked = sorted(drafts, key=lambda d: -float(np.add.reduce(d.mass)))
    reach = np.array([d.reach for d in ranked]).reshape(-1, 2)
    apart = reach[:, None, 0] - reach[None, :, 1]
    near = np.tril(np.maximum(apart, apart.T) < far, -1)
    rivals: list[list[int]] = [[] for _ in ranked]
    for index, heavier in np.argwhere(near).tolist():
        rivals[index].append(heavier)
    stays: list[bool] = []
    for draft, own in zip(ranked, rivals, strict=True):
        stays.append(not any(stays[other] and beaten(draft, ranked[other]) for other in own))
    return [draft for draft, kept in zip(ranked, stays, strict=True) if kept]


def _crowds(draft: Draft, other: Draft, pitch: float | None) -> bool:
    distance = _TOO_NEAR * max(draft.body, other.body)
    if pitch is not None and draft.length < _NOTE_LENGTH * other.length:
        distance = max(distance, _NOTE_DISTANCE * pitch)
    return nearness(draft, other, distance) > 0.5


def without_ink_twins(drafts: Sequence[Draft], ink: NDArray[np.uint8]) -> list[Draft]:
    """The drafts without those whose ink goes on without a gap into a heavier one's near by.

    Between two lines there is always less ink than in either; between two halves of a line there is not. Near is
    less than ``_NEAR`` bodies, on pages of several lines also less than ``_NOTE_DISTANCE`` of their distance.
    ``ink`` is the half-size plane (1 is ink).
    """
    pitch = pitch_of(drafts) if len(drafts) >= _SEVERAL else None
    farthest = np.inf if pitch is None else _NOTE_DISTANCE * pitch
    far = min(_NEAR * max((d.body for d in drafts), default=0.0), farthest)
    return _without_beaten(drafts, far, lambda draft, other: _is_twin(draft, other, farthest, ink))


def _is_twin(draft: Draft, other: Draft, farthest: float, ink: NDArray[np.uint8]) -> bool:
    body = max(draft.body, other.body)
    if nearness(draft, other, min(_NEAR * body, farthest)) <= 0.5:
        return False
    return _ink_between(draft, other, ink) > _CONTINUOUS


def pitch_of(drafts: Sequence[Draft]) -> float | None:
    """The distance between the page's lines in pixels; None when fewer than two of them face each other.

    The lower quartile over all stations: where a line was not found, the distance is that of two. At most
    ``_LARGEST_PITCH`` times the usual body.
    """
    if not drafts:
        return None
    longest = max(d.length for d in drafts)
    long = [d for d in drafts if d.length >= 0.3 * longest]
    last = max(d.last for d in long)
    middles = np.full((len(long), last + 1), np.nan)
    for row, d in enumerate(long):
        middles[row, d.first : d.last + 1] = d.middle
    distances = np.diff(np.sort(middles, axis=0), axis=0)
    known = distances[np.isfinite(distances)]
    if known.size < _MIN_PITCHES:
        return None
    return min(percentile(known, 25), _LARGEST_PITCH * usual_body(long))


def usual_body(drafts: Sequence[Draft]) -> float:
    """The body of most of the writing in pixels: the median over all stations of some (at least one) drafts."""
    return median(np.repeat([d.body for d in drafts], [d.top.size for d in drafts]))


def _common(draft: Draft, other: Draft) -> tuple[slice, slice] | None:
    first, last = max(draft.first, other.first), min(draft.last, other.last)
    if first > last:
        return None
    mine = slice(first - draft.first, last - draft.first + 1)
    return mine, slice(first - other.first, last - other.first + 1)


def nearness(draft: Draft, other: Draft, distance: float) -> float:
    """Share of the draft's stations in which its centre is within ``distance`` pixels of the other's."""
    (highest, lowest), (above, below) = draft.reach, other.reach
    if highest - below >= distance or above - lowest >= distance:  # nowhere
        return 0.0
    parts = _common(draft, other)
    if parts is None:
        return 0.0
    near = np.abs(draft.middle[parts[0]] - other.middle[parts[1]]) < distance
    return float(near.sum()) / draft.top.size


def _ink_between(draft: Draft, other: Draft, ink: NDArray[np.uint8]) -> float:
    """Least ink on the way from one centre line to the other, over the fainter one's own ink.

    Measured on the common stretch, in steps of half-size pixels averaged over three.
    """
    parts = _common(draft, other)
    if parts is None:
        return 0.0
    start = (draft.first + parts[0].start) * STATION // HALF
    stations = np.arange(parts[0].stop - parts[0].start)
    columns = np.repeat(stations, STATION // HALF)
    x = start + np.arange(columns.size)
    inside = x < ink.shape[1]
    x, columns = x[inside], columns[inside]
    here = draft.middle[parts[0]][columns] / HALF
    there = other.middle[parts[1]][columns] / HALF
    steps = max(5, int(np.abs(there - here).mean()) + 1)
    profile = np.zeros(steps)
    for step, share in enumerate(np.linspace(0, 1, steps)):
        y = np.clip(np.rint(here + share * (there - here)).astype(np.int64), 0, ink.shape[0] - 1)
        profile[step] = ink[y, x].mean()
    calm = np.convolve(profile, np.ones(3) / 3, mode="valid")
    # The middle of a band can fall between a letter's strokes: a band's ink is the most near its centre.
    reach = max(1, calm.size // 4)
    fainter = float(min(calm[:reach].max(), calm[-reach:].max()))
    return float(calm.min()) / fainter if fainter > 0 else 1.0
