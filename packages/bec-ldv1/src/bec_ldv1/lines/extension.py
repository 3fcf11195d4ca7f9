"""Lines carried on where the network lost them: faint ends that still have ink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.band import BandInk, running_mean, straightened_ink, without_guides
from bec_ldv1.lines.drafts import Course, Doubles, Draft
from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.ranks import median
from bec_ldv1.lines.shape import HALF

_FEWEST = 3  # lines that make a block, beyond which nothing is extended
_GAP = 4.5  # widest gap that is crossed, in bodies
_FAINTEST = 0.35  # least ink of what is added, over the line's own
_CONTRAST = 1.2  # least ink in the band, over the ink half way to the next line on either side …
_WHOLE_CONTRAST = 1.6  # … and of all that is added together …
_OF_OWN = 0.3  # … or that share of the line's own contrast, where letters reach into each other's lines
_STRIP = 0.15  # half the height of what counts as half way, in bodies
_OWN = (-0.5, 0.5)  # where a line's own ink is, in bodies
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
    columns = np.searchsorted(barriers, [(d.first + d.last + 1) / 2 * STATION for d in drafts]).tolist()
    blocks = {
        column: _block([d for d, c in zip(drafts, columns, strict=True) if c == column]) for column in columns
    }
    longer = list(drafts)
    for direction in (1, -1):
        tails = []
        for index, (draft, column) in enumerate(zip(longer, columns, strict=True)):
            block = blocks[column]
            if block is not None:
                room = block[1] - draft.last if direction > 0 else draft.first - block[0]
                others = [d for d in drafts if d is not drafts[index]]
                tail = _tail(draft, room, direction, course, others)
                if tail is not None:
                    tails.append((index, tail))
        for index, part in _inked(tails, longer, direction, pitch, ink):
            longer[index] = _joined(longer[index], part, direction)
    return longer


def _block(drafts: Sequence[Draft]) -> tuple[int, int] | None:
    """The first and the last station of a column of text; None where it has too few lines to tell."""
    if len(drafts) < _FEWEST:
        return None
    return sorted(d.first for d in drafts)[1], sorted(d.last for d in drafts)[-2]


def _tail(draft: Draft, room: int, direction: int, course: Course, others: Sequence[Draft]) -> Draft | None:
    """Up to ``room`` stations on the right (``direction`` 1) or left (-1), as far as no other line is in the way."""
    if room < 1 or room * STATION < draft.body:  # less than a letter
        return None
    tail = _continuation(draft, room, direction, course)
    free = _free_stations(tail, others, direction)
    return _from_line(tail, free, direction) if free else None


def _from_line(tail: Draft, stations: int, direction: int) -> Draft:
    """So many stations of a tail, those next to its line."""
    size = tail.top.size
    return tail.cut(0, stations) if direction > 0 else tail.cut(size - stations, size)


def _inked(
    tails: Sequence[tuple[int, Draft]],
    drafts: Sequence[Draft],
    direction: int,
    pitch: float,
    ink: NDArray[np.uint8],
) -> Iterator[tuple[int, Draft]]:
    """What of the tails (each with its draft's index) is written; those without are left out."""
    half_pitches = [pitch / drafts[index].body / 2 for index, _ in tails]
    around = [half_pitch + _STRIP for half_pitch in half_pitches]
    bands = straightened_ink([tail for _, tail in tails], ink, around)
    own_bands = straightened_ink([drafts[index] for index, _ in tails], ink, around)
    for (index, tail), band, own, half_pitch in zip(tails, bands, own_bands, half_pitches, strict=True):
        reach = _written(band, own, half_pitch, direction)
        if reach:
            yield index, _from_line(tail, min(-(-reach * HALF // STATION), tail.top.size), direction)


def _written(band: BandInk, own: BandInk, half_pitch: float, direction: int) -> int:
    """Columns (half-size) of a tail's ``band``, from the end of its line on, over which the line's letters go on.

    ``own`` is the line's own ink.
    """
    typical = float(own.share(*_OWN).mean())
    if not typical or not band.share(*_OWN).any():
        return 0
    between = max(side.mean() for side in _between(own, half_pitch))
    contrast = min(_WHOLE_CONTRAST, _OF_OWN * typical / between) if between else _WHOLE_CONTRAST
    band = without_guides(band)
    columns, above, below = band.share(*_OWN), *_between(band, half_pitch)
    if direction < 0:
        columns, above, below = columns[::-1], above[::-1], below[::-1]
    return _ink_run(columns, (above, below), own.body, typical, contrast)


def _joined(draft: Draft, part: Draft, direction: int) -> Draft:
    """The draft with stations beside it, on the right (``direction`` 1) or left (-1)."""
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
        step = min(max(last - station, -1), 1)
        y += course.slope_at((station + step / 2 + 0.5) * STATION, y) * step * STATION
        station += step
        middles.append(y)
    middle = np.array(middles[-room:] if direction > 0 else middles[-room:][::-1])
    zeros = np.zeros(room)
    first = draft.last + 1 if direction > 0 else draft.first - room
    return Draft(first, middle - draft.body / 2, middle + draft.body / 2, zeros, zeros.astype(bool))


def _free_stations(tail: Draft, others: Sequence[Draft], direction: int) -> int:
    """How many stations, counted from the line's end, no other line's band is in the way of."""
    blocked = np.zeros(tail.top.size, bool)
    top, bottom = tail.span
    for other in others:
        first, last = max(tail.first, other.first), min(tail.last, other.last)
        highest, lowest = other.span
        if first > last or top >= lowest or bottom <= highest:
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
    sides = np.array([columns, *between])
    near, above, below = running_mean(sides, [2 * body, _WIDE * body, _WIDE * body])
    apart = np.maximum(above, below)
    solid = (columns > 0) & (near > _FAINTEST * typical) & (near > _CONTRAST * apart)
    # Here and there a picture has less ink between the lines than in them, on the whole it has not.
    own, *theirs = np.cumsum(sides, axis=1)
    whole = own > contrast * np.maximum(*theirs)
    reach = last = 0
    for place in np.flatnonzero(solid).tolist():
        if place - last > _GAP * body:
            break
        last = place + 1
        reach = last if whole[place] else reach
    return reach
