"""Lines carried on where the network lost them: faint ends that still have ink."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.drafts import Course, Doubles, Draft
from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.ranks import median
from bec_ldv1.lines.shape import HALF, BandInk, running_mean, straightened_ink, without_guides

_FEWEST = 3  # lines that make a block, beyond which nothing is extended
_GAP = 4.5  # widest gap that is crossed, in bodies
_FAINTEST = 0.35  # least ink of what is added, over the line's own
_CONTRAST = 1.2  # least ink in the band, over the ink half way to the next line on either side …
_WHOLE_CONTRAST = 1.6  # … and of all that is added together …
_OF_OWN = 0.3  # … or that share of the line's own contrast, where letters reach into each other's lines
_STRIP = 0.15  # half the height of what counts as half way, in bodies
_WIDE = 3.0  # bodies over which the ink between the lines is looked at


def extended(
    drafts: Sequence[Draft],
    course: Course,
    barriers: Sequence[float],
    pitch: float | None,
    ink: NDArray[np.uint8],
) -> list[Draft]:
    """The drafts carried on along the page's course, as far as their ink goes and the text block reaches.

    The block, each column between the ``barriers`` (x in pixels), ends where its second longest line does, on either
    side. ``ink`` is the half-size plane (1 is ink). Nothing is added where another line already is.
    """
    if pitch is None:
        return list(drafts)
    columns = np.searchsorted(barriers, [(d.first + d.last + 1) / 2 * STATION for d in drafts])
    firsts, lasts = np.array([d.first for d in drafts]), np.array([d.last for d in drafts])
    result = []
    for draft, column in zip(drafts, columns, strict=True):
        beside = columns == column
        if beside.sum() < _FEWEST:
            result.append(draft)
            continue
        left, right = int(np.sort(firsts[beside])[1]), int(np.sort(lasts[beside])[-2])
        others = [d for d in drafts if d is not draft]
        longer = _extend(draft, right - draft.last, 1, course, pitch, others, ink)
        result.append(_extend(longer, draft.first - left, -1, course, pitch, others, ink))
    return result


def _extend(
    draft: Draft,
    room: int,
    direction: int,
    course: Course,
    pitch: float,
    others: Sequence[Draft],
    ink: NDArray[np.uint8],
) -> Draft:
    """Add up to ``room`` stations on the right (``direction`` 1) or left (-1)."""
    if room < 1 or room * STATION < draft.body:  # less than a letter
        return draft
    tail = _continuation(draft, room, direction, course)
    free = _free_stations(tail, others, direction)
    tail = tail.cut(0, free) if direction > 0 else tail.cut(room - free, room)
    if tail.top.size == 0:
        return draft
    half_pitch = pitch / draft.body / 2
    own = straightened_ink(draft, ink, around=half_pitch + _STRIP)
    typical, between = float(own.share(-0.5, 0.5).mean()), max(s.mean() for s in _between(own, half_pitch))
    if not typical:
        return draft
    contrast = min(_WHOLE_CONTRAST, _OF_OWN * typical / between) if between else _WHOLE_CONTRAST
    band = without_guides(straightened_ink(tail, ink, around=half_pitch + _STRIP))
    columns, above, below = band.share(-0.5, 0.5), *_between(band, half_pitch)
    if direction < 0:
        columns, above, below = columns[::-1], above[::-1], below[::-1]
    reach = _ink_run(columns, (above, below), draft.body / HALF, typical, contrast)
    stations = -(-reach * HALF // STATION)
    if stations == 0:
        return draft
    stations = min(stations, tail.top.size)
    part = tail.cut(0, stations) if direction > 0 else tail.cut(tail.top.size - stations, tail.top.size)
    pieces = (draft, part) if direction > 0 else (part, draft)
    return Draft(
        pieces[0].first,
        *(np.concatenate([getattr(p, name) for p in pieces]) for name in ("top", "bottom", "mass", "found")),
    )


def _continuation(draft: Draft, room: int, direction: int, course: Course) -> Draft:
    """``room`` stations that follow the course from the draft's end on, none of them found."""
    end = slice(-6, None) if direction > 0 else slice(None, 6)
    y = median(draft.middle[end])
    station = (draft.last - 2.5) if direction > 0 else (draft.first + 2.5)
    last = draft.last + room if direction > 0 else draft.first - room
    middles = []
    while station != last:
        step = np.clip(last - station, -1, 1)
        x = (station + step / 2 + 0.5) * STATION
        y += float(course.slope(np.array([x]), np.array([y]))[0]) * step * STATION
        station += step
        middles.append(y)
    middle = np.array(middles[-room:] if direction > 0 else middles[-room:][::-1])
    zeros = np.zeros(room)
    first = draft.last + 1 if direction > 0 else draft.first - room
    return Draft(first, middle - draft.body / 2, middle + draft.body / 2, zeros, zeros.astype(bool))


def _free_stations(tail: Draft, others: Sequence[Draft], direction: int) -> int:
    """How many stations, counted from the line's end, no other line's band is in the way of."""
    blocked = np.zeros(tail.top.size, bool)
    for other in others:
        first, last = max(tail.first, other.first), min(tail.last, other.last)
        if first > last:
            continue
        mine = slice(first - tail.first, last - tail.first + 1)
        theirs = slice(first - other.first, last - other.first + 1)
        blocked[mine] |= (tail.top[mine] < other.bottom[theirs]) & (tail.bottom[mine] > other.top[theirs])
    in_order = blocked if direction > 0 else blocked[::-1]
    return int(in_order.argmax()) if in_order.any() else int(blocked.size)


def _between(band: BandInk, half_pitch: float) -> tuple[Doubles, Doubles]:
    """Share of ink per column half way to the next lines, above and below."""
    above = band.share(-half_pitch - _STRIP, -half_pitch + _STRIP)
    return above, band.share(half_pitch - _STRIP, half_pitch + _STRIP)


def _ink_run(
    columns: Doubles, between: tuple[Doubles, Doubles], body: float, typical: float, contrast: float
) -> int:
    """Columns (half-size), from the line's end on, over which letters go on without too wide a gap."""
    near = running_mean(columns, 2 * body)
    apart = np.maximum(*(running_mean(side, _WIDE * body) for side in between))
    solid = (columns > 0) & (near > _FAINTEST * typical) & (near > _CONTRAST * apart)
    # Here and there a picture has less ink between the lines than in them, on the whole it has not.
    whole = np.cumsum(columns) > contrast * np.maximum(*(np.cumsum(side) for side in between))
    reach = last = 0
    for place in np.flatnonzero(solid).tolist():
        if place - last > _GAP * body:
            break
        last = place + 1
        reach = last if whole[place] else reach
    return reach
