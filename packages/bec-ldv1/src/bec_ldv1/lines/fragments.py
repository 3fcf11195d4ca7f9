"""From the probability map to fragments: pieces of lines without gaps, each one band high.

The map is reduced to *stations* (columns ``STATION`` pixels wide) and rows of ``ROW`` pixels: lines are long, so
nothing is lost across, and all that follows works on a few thousand numbers.
"""

from __future__ import annotations

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.ranks import median
from bec_ldv1.lines.values import LineSettings

STATION = 16
ROW = 2

_SMOOTH_STATIONS = 1.0
_SMOOTH_BODY = 0.3
_DEEP = 0.2

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@attrs.frozen(eq=False)
class Fragment:
    """A band over consecutive stations: ``first`` is the first one's number.

    ``top`` and ``bottom`` (reduced rows, bottom exclusive) and ``mass`` (sum of probability) per station.
    """

    first: int
    top: Floats
    bottom: Floats
    mass: Floats
    body: float = attrs.field(init=False)  # the median height, in reduced rows

    @body.default
    def _median_height(self) -> float:
        heights = np.sort(self.bottom - self.top)
        return float(heights[heights.size // 2])

    @property
    def last(self) -> int:
        """The last station's number."""
        return self.first + self.top.size - 1


@attrs.frozen(eq=False)
class _Runs:
    """Vertical runs of a mask, sorted by column, then row; ``end`` is exclusive."""

    column: Ints
    start: Ints
    end: Ints

    def chosen(self, keep: NDArray[np.bool_]) -> _Runs:
        return _Runs(self.column[keep], self.start[keep], self.end[keep])


def reduce_map(probability: Floats) -> Floats:
    """The map's means over cells of ``STATION`` × ``ROW`` pixels; what is left over at the right and bottom
    edge is dropped (whole cells are five times as fast). A map smaller than one cell gives 0×0."""
    rows, stations = probability.shape[0] // ROW, probability.shape[1] // STATION
    if rows == 0 or stations == 0:
        return np.zeros((0, 0), np.float32)
    whole = probability[: rows * ROW, : stations * STATION]
    return np.asarray(cv2.resize(whole, (stations, rows), interpolation=cv2.INTER_AREA), dtype=np.float32)


def find_fragments(reduced: Floats, settings: LineSettings) -> list[Fragment]:
    """The fragments of a reduced map, in no order that matters.

    Lines that touch are parted twice: where the probability dips between them, and at junctions, stations
    in which one run meets two of its neighbour's.
    """
    # The height where the map is sure: where lines touch, they don't do so at that level.
    runs = _runs(reduced > (1 + settings.threshold) / 2)
    if runs.column.size == 0:
        return []
    typical = median(runs.end - runs.start)
    calm = _calmed(reduced, typical)
    mask = calm > settings.threshold
    reach = max(2, round(typical))
    mask &= ~_valleys(calm, settings.valley_share, reach)
    # Lines much smaller than the page's typical ones: their gaps are shut by the smoothing, but deep.
    mask &= ~(_valleys(reduced, _DEEP, reach) & (reduced < _DEEP))
    runs = _runs(mask)
    runs = runs.chosen(~_junctions(runs, mask.shape[0]))
    return _trace(runs, reduced)


def _calmed(reduced: Floats, body: float) -> Floats:
    """The map smoothed by a third of a band's height and one station: dips inside a line close, gaps stay."""
    return np.asarray(
        cv2.GaussianBlur(
            reduced,
            (0, 0),
            sigmaX=_SMOOTH_STATIONS,
            sigmaY=_SMOOTH_BODY * body,
            borderType=cv2.BORDER_REPLICATE,
        ),
        dtype=np.float32,
    )


def _runs(mask: NDArray[np.bool_]) -> _Runs:
    height, width = mask.shape
    padded = np.zeros((width, height + 2), np.int8)
    padded[:, 1:-1] = mask.T
    steps = np.diff(padded, axis=1)
    column, start = np.nonzero(steps == 1)
    _, end = np.nonzero(steps == -1)
    return _Runs(column, start, end)


def _valleys(reduced: Floats, share: float, reach: int) -> NDArray[np.bool_]:
    """Cells that are lower than ``share`` of both the highest cell within ``reach`` above and below."""
    kernel = np.ones((reach, 1), np.uint8)
    above = cv2.dilate(reduced, kernel, anchor=(0, reach - 1), borderType=cv2.BORDER_CONSTANT)
    below = cv2.dilate(reduced, kernel, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(reduced < share * np.minimum(above, below), dtype=np.bool_)


def _neighbours(runs: _Runs, height: int, step: int) -> Ints:
    """How many runs of the column ``step`` away each run overlaps."""
    pitch = height + 2
    starts, ends = runs.column * pitch + runs.start, runs.column * pitch + runs.end
    base = (runs.column + step) * pitch
    begun = np.searchsorted(starts, base + runs.end, side="left")
    finished = np.searchsorted(ends, base + runs.start, side="right")
    return np.asarray(begun - finished, dtype=np.int64)


def _junctions(runs: _Runs, height: int) -> NDArray[np.bool_]:
    return np.asarray(
        (_neighbours(runs, height, 1) > 1) | (_neighbours(runs, height, -1) > 1), dtype=np.bool_
    )


def _trace(runs: _Runs, reduced: Floats) -> list[Fragment]:
    """Connected runs as fragments. After the junctions went, every run has one neighbour a side at most."""
    if runs.column.size == 0:
        return []
    height, width = reduced.shape
    pitch = height + 2
    starts, ends = runs.column * pitch + runs.start, runs.column * pitch + runs.end
    base = (runs.column + 1) * pitch
    following = np.searchsorted(ends, base + runs.start, side="right")
    linked = following < np.searchsorted(starts, base + runs.end, side="left")
    sums = np.zeros((height + 1, width), np.float32)
    np.cumsum(reduced, axis=0, out=sums[1:])
    mass = sums[runs.end, runs.column] - sums[runs.start, runs.column]
    successor = np.where(linked, following, -1)
    has_previous = np.zeros(runs.column.size, bool)
    has_previous[following[linked]] = True
    next_of = successor.tolist()
    fragments = []
    for first in np.flatnonzero(~has_previous).tolist():
        chain = [first]
        while (after := next_of[chain[-1]]) >= 0:
            chain.append(after)
        fragments.append(
            Fragment(
                int(runs.column[first]),
                runs.start[chain].astype(np.float32),
                runs.end[chain].astype(np.float32),
                mass[chain],
            )
        )
    return fragments


def stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The [start, stop) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
