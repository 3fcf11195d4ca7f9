"""Last syllables: a few letters where the next line would begin, too short for the network to be sure of them.

Below a block of regularly set lines, at their left edge and one pitch (the distance between the lines) down, letters
that have the row for themselves are a line when the network marks them at least weakly. Where it doesn't, they are
worth a person's eyes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.drafts import Doubles, Draft
from bec_ldv1.lines.fragments import STATION
from bec_ldv1.lines.ranks import median
from bec_ldv1.lines.shape import HALF

_FEWEST = 3  # lines of a block
_LONG = 0.5  # a block's lines are at least so long, over the longest of its column
_EVEN = 0.25  # a block's distances are at most so far off their median, over it
_FREE = 2.6  # pitches below a block in which nothing begins: in a gap within it a whole line may be lost
_STEPS = 4  # distances that tell how far below the last line the next one would stand
_LEVEL = 0.35  # pitches by which a letter's middle may be off the place of a line
_BESIDE_LEVEL = 0.25  # … that of what stands beside it
_INDENT = 1.25  # bodies by which the first letter may begin elsewhere
_LETTER = 0.75  # bodies, a letter's least height: lower ink are marks and specks
_THINNEST = 0.2  # bodies, the least width of all letters together
_SPECK = 0.35  # bodies; lower ink is not looked at
_HIGHEST = (3.5, 1.5)  # in bodies and in pitches: head, stack and foot
_LOWEST = 1.8  # pitches below the line above, where something larger begins
_APART = 1.5  # bodies, at most between two letters
_LONGEST = 0.35  # of the line above: longer ones are found by the network
_BESIDE = 0.06  # of it: what else may stand in the row
_MARKED = 0.3  # probability that a tenth of a line's ink has at least …
_OF_MARKED = 0.15  # … and the least share of it where the line is


@attrs.frozen
class Tail:
    """Letters where a line would begin; lengths in pixels of the plane.

    Attributes:
        left, right, top, bottom: the letters' box.
        middle: where the line's centre would be.
        body: that of the line above.
        pitch: the block's.
        marked: the network's probability that a tenth of the letters' ink has at least.
        confidence: the mean probability over the letters' ink.
    """

    left: float
    right: float
    top: float
    bottom: float
    middle: float
    body: float
    pitch: float
    marked: float
    confidence: float

    @property
    def is_line(self) -> bool:
        """Whether the network saw something here, too."""
        return self.marked >= _MARKED

    @property
    def reach(self) -> tuple[float, float]:
        """How far the ink goes above and below the line's band, in bodies."""
        half = self.body / 2
        return (self.middle - half - self.top) / self.body, (self.bottom - self.middle - half) / self.body

    @property
    def height(self) -> float:
        """The letters' height in bodies."""
        return (self.bottom - self.top) / self.body

    def draft(self) -> Draft:
        """A level line in the making."""
        first, last = int(self.left) // STATION, int(np.ceil(self.right) - 1) // STATION
        size = last - first + 1
        middle = np.full(size, self.middle)
        return Draft(
            first, middle - self.body / 2, middle + self.body / 2, np.zeros(size), np.ones(size, bool)
        )

    def meets(self, draft: Draft) -> bool:
        """Whether a line stands where the letters do."""
        first, last = draft.first * STATION, (draft.last + 1) * STATION
        level = abs(draft.level - self.middle) < self.pitch / 2
        return level and first < self.right and last > self.left


class Row(NamedTuple):
    """Where a line begins and ends, in pixels: its ends in x, the height at which it starts, its body, its column."""

    left: float
    right: float
    y: float
    body: float
    column: int


def tails(rows: Sequence[Row], probability: NDArray[np.float32], ink: NDArray[np.uint8]) -> list[Tail]:
    """What stands below the last line of each block of ``rows``; ``ink`` is the half-size plane (1 is ink)."""
    table = np.array(rows, np.float64).reshape(-1, 5)
    found = (_below(table, index, pitch, edge, probability, ink) for index, pitch, edge in _ends(table))
    return [tail for tail in found if tail is not None]


def _ends(rows: Doubles) -> Iterator[tuple[int, float, float]]:
    """The last line of each block with the block's pitch and left edge."""
    length = rows[:, 1] - rows[:, 0]
    for column in np.unique(rows[:, 4]):
        own = np.flatnonzero(rows[:, 4] == column)
        block = own[length[own] >= _LONG * length[own].max()]
        block = block[np.argsort(rows[block, 2], kind="stable")]
        if block.size < _FEWEST:
            continue
        steps = np.diff(rows[block, 2])
        pitch = median(steps)
        even = np.abs(steps - pitch) <= _EVEN * pitch
        below = rows[None, own, 2] - rows[block, None, 2]
        taken = (below > 0) & (below < _FREE * pitch) & (length[own] >= _LONGEST * length[own].max())
        for place in np.flatnonzero(~taken.any(axis=1)):
            near = steps[max(0, place - _STEPS) : place][even[max(0, place - _STEPS) : place]]
            if near.size >= _FEWEST - 1:
                yield int(block[place]), float(near.mean()), median(rows[block, 0])


def _below(
    rows: Doubles,
    index: int,
    pitch: float,
    edge: float,
    probability: NDArray[np.float32],
    ink: NDArray[np.uint8],
) -> Tail | None:
    """The letters below the line ``index``; None where there are none, or something else is beside them."""
    left, right, y, body, _ = rows[index].tolist()
    margin = 2 * _INDENT * body
    x0 = int(max(0.0, min(left, edge) - margin)) // HALF
    y0 = int(max(0.0, y + body / 2)) // HALF
    lowest = y + _LOWEST * pitch
    part = ink[y0 : int(lowest) // HALF + 1, x0 : int(right + margin) // HALF + 1]
    if part.size == 0 or not part.any():
        return None
    _, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    marks = stats[1:].astype(np.float64) * HALF
    begin, top, width, height = marks[:, 0] + x0 * HALF, marks[:, 1] + y0 * HALF, marks[:, 2], marks[:, 3]
    away = np.abs(top + height / 2 - (y + pitch)) / pitch
    highest = min(_HIGHEST[0] * body, _HIGHEST[1] * pitch)
    # What begins above are the line's own descenders, what goes on at the plane's edge is the page's edge.
    whole = (stats[1:, 1] > 0) & (stats[1:, 1] + stats[1:, 3] < part.shape[0]) & (height <= highest)
    row = np.flatnonzero(whole & (away <= _LEVEL) & (height >= _SPECK * body))
    row = row[np.argsort(begin[row], kind="stable")]
    at_edge = np.minimum(np.abs(begin[row] - left), np.abs(begin[row] - edge)) <= _INDENT * body
    first = np.flatnonzero(at_edge & (height[row] >= _LETTER * body))
    if first.size == 0:
        return None
    row = row[begin[row] >= begin[row[first[0]]]]
    reached = np.maximum.accumulate(begin[row] + width[row])
    gaps = np.flatnonzero(begin[row][1:] - reached[:-1] > _APART * body)
    size = int(gaps[0]) + 1 if gaps.size else row.size
    letters, beside = row[:size], row[size:]
    beside = beside[(away[beside] <= _BESIDE_LEVEL) & (height[beside] >= _LETTER * body)]
    box = begin[letters[0]], reached[size - 1], top[letters].min(), (top + height)[letters].max()
    if (
        not _THINNEST * body <= box[1] - box[0] <= _LONGEST * (right - left)
        or width[beside].sum() > _BESIDE * (right - left)
        or box[3] - box[2] > highest
    ):
        return None
    ink_y, ink_x = np.nonzero(np.isin(labels, letters + 1))
    says = probability[(ink_y + y0) * HALF, (ink_x + x0) * HALF]
    tail = Tail(
        left=float(box[0]),
        right=float(box[1]),
        top=float(box[2]),
        bottom=float(box[3]),
        middle=y + pitch,
        body=body,
        pitch=pitch,
        marked=float(np.quantile(says, 0.9)),
        confidence=float(says.mean()),
    )
    return _as_marked(tail, probability) if tail.is_line else tail


def _as_marked(tail: Tail, probability: NDArray[np.float32]) -> Tail:
    """The tail with its ends and its middle where the network marks its letters."""
    top, left = int(tail.top), int(tail.left)
    part = probability[top : int(tail.bottom), left : int(tail.right)]
    part = np.where(part >= _OF_MARKED * tail.marked, part, 0)
    columns = np.flatnonzero(part.any(axis=0))
    rows = part.sum(axis=1, dtype=np.float64)
    middle = top + float(rows @ (np.arange(rows.size) + 0.5) / rows.sum())
    return attrs.evolve(
        tail, left=float(left + columns[0]), right=float(left + columns[-1] + 1), middle=middle
    )
