"""Short pieces: the last syllable of a paragraph stands where a line is expected, specks and dirt stand anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_FEWEST = 3  # long lines that tell where another is expected
_SHORTEST = 0.8  # bodies
_LIKE = (0.6, 1.5)  # a short line's body over its neighbour's
_AWAY = (0.75, 1.3)  # its distance from the line above, in distances between lines
_INDENT = 1.0  # bodies by which it may start elsewhere
_SAME_ROW = 0.5  # distances between lines, within which nothing else may stand


class Extent(NamedTuple):
    """Where a piece stands, in pixels: its ends in x, the height at which it starts, its body."""

    left: float
    right: float
    y: float
    body: float

    @property
    def length(self) -> float:
        """Extent in x."""
        return self.right - self.left


def long_enough(pieces: Sequence[Extent], least: Sequence[float], pitch: float | None) -> list[bool]:
    """Which pieces are lines by their length: at least ``least`` pixels each, or short where a line is expected.

    That is a ``pitch`` (the distance between the page's lines) below a long line that starts above it, with letters of
    the same height, and nothing else beside it under that line.
    """
    table = np.array(pieces, np.float64).reshape(-1, 4)
    long = table[:, 1] - table[:, 0] >= np.asarray(least)
    if pitch is None or long.all() or long.sum() < _FEWEST:
        return [bool(answer) for answer in long]
    return [bool(long[i]) or _is_expected(table, long, i, pitch) for i in range(len(table))]


def _is_expected(table: NDArray[np.float64], long: NDArray[np.bool_], index: int, pitch: float) -> bool:
    left, right, y, body = table[index]
    if right - left < _SHORTEST * body:
        return False
    away, likeness = (y - table[:, 2]) / pitch, body / table[:, 3]
    above = long & (away >= _AWAY[0]) & (away <= _AWAY[1]) & (likeness >= _LIKE[0]) & (likeness <= _LIKE[1])
    above &= np.abs(table[:, 0] - left) <= _INDENT * table[:, 3]
    beside = np.abs(away) < _SAME_ROW
    beside[index] = False
    return any(
        not (beside & (table[:, 0] < table[i, 1]) & (table[:, 1] > table[i, 0])).any()
        for i in np.flatnonzero(above)
    )
