"""Area averaging as OpenCV's ``INTER_AREA`` does it, to the last bit, in a half to a quarter of its time.

OpenCV adds up pixel by pixel, in float32, wherever the factor is no whole number. Here the same weights are applied as
products of small matrices, which differ from its sums by rounding alone; where that could round a pixel to another
whole number, that is where the mean lies next to a half, the pixel is added up again in OpenCV's order.
"""

from __future__ import annotations

from functools import lru_cache

import attrs
import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_ROWS, _COLUMNS = 4, 16  # of the shrunk plane that one product makes
_STRIP = 128  # rows of the shrunk plane at a time, a multiple of _ROWS: they stay in the cache
_IN_CACHE = 1 << 18  # floats
_ONE_THREAD = 1 << 18  # multiplications; larger products OpenBLAS shares out among threads of its own
_LEAST = 1e-3  # OpenCV leaves out what covers less of a pixel
_ROUNDING = 255.0 * 2**-22  # four times what one addition of either way is off by at most
_LEAST_FACTOR = 5  # pixels for one; with fewer OpenCV is as fast
_MOST_AGAIN = 16  # if more than one in so many pixels lies next to a half, OpenCV is faster


@attrs.frozen(eq=False)
class _Weights:
    """How the pixels along one side of a shrunk plane are made of the plane's.

    Attributes:
        places, weights: for each pixel those that it covers, in order, and how much each counts; filled up with
            others of no weight: length × most.
        starts, blocks: the same for some pixels at a time, the last of which may be no pixels: where what they cover
            begins, and the weights of all of that; blocks, and blocks × pixels × most.
    """

    places: Ints
    weights: Floats
    starts: Ints
    blocks: Floats


def area_resize(plane: Plane, size: tuple[int, int]) -> Plane:
    """The plane (uint8, height × width) at this size (width, height): what ``cv2.resize`` makes by ``INTER_AREA``."""
    (height, width), (columns, rows) = plane.shape, size
    if (
        columns > width
        or rows > height
        or (width % columns == 0 and height % rows == 0)
        or plane.size < _LEAST_FACTOR * columns * rows
    ):
        return _by_opencv(plane, size)
    down, across = _weights(height, rows, _ROWS), _weights(width, columns, _COLUMNS)
    margin = 0.5 - _ROUNDING * (down.weights.shape[1] + across.weights.shape[1])
    shrunk, again, room = np.empty((rows, columns), np.uint8), [], _Room.of(width, down, across)
    for first in range(0, rows, _STRIP):
        part = shrunk[first : first + _STRIP]
        means = _across(_down(plane, down, first // _ROWS, room), across, room)[: len(part), :columns]
        whole, away = room.whole[: len(part), :columns], room.away[: len(part), :columns]
        np.rint(means, out=whole)
        np.copyto(part, whole, casting="unsafe")
        np.abs(np.subtract(means, whole, out=away), out=away)
        again.append(first * columns + np.flatnonzero(away > margin))
    y, x = np.divmod(np.concatenate(again), columns)
    if y.size * _MOST_AGAIN > shrunk.size:
        return _by_opencv(plane, size)
    shrunk[y, x] = _in_order(plane, down, across, y, x)
    return shrunk


def _by_opencv(plane: Plane, size: tuple[int, int]) -> Plane:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(maxsize=16)
def _weights(length: int, shrunk: int, block: int) -> _Weights:
    """The weights of a side of so many pixels that is shrunk to so many, as OpenCV counts them."""
    scale = 1.0 / (shrunk / length)
    left = np.arange(shrunk) * scale
    right, covered = left + scale, np.minimum(scale, length - left)
    stop = np.minimum(np.floor(right), length - 1)
    start = np.minimum(np.ceil(left), stop)
    head, tail = start - left, right - stop
    first = start - (head > _LEAST)
    number = stop - first + (tail > _LEAST)
    place = first[:, None] + np.arange(int(number.max()))
    share = np.where(place < stop[:, None], 1.0, np.minimum(np.minimum(tail, 1.0), covered)[:, None])
    share = np.where(place < start[:, None], head[:, None], share)
    share = np.where(place < (first + number)[:, None], share, 0.0)
    places = np.minimum(place, length - 1).astype(np.int64)
    weights = (share / covered[:, None]).astype(np.float32)

    blocks = -(-shrunk // block)
    begin = places[::block, 0]
    most = int((places[np.minimum(np.arange(blocks) * block + block, shrunk) - 1, -1] + 1 - begin).max())
    begin = np.minimum(begin, length - most)
    row = np.arange(shrunk)
    flat = (row * most - begin[row // block])[:, None] + places
    dense = np.bincount(flat.ravel(), weights.ravel(), blocks * block * most)  # one weight in each, or none
    return _Weights(places, weights, begin, dense.astype(np.float32).reshape(blocks, block, most))


@attrs.frozen(eq=False)
class _Room:
    """Where a strip is made: memory asked for once a page, since fresh memory costs as much as the work on it.

    Attributes:
        pixels, floats: the plane's rows that some blocks cover.
        strip: rows of the shrunk plane, of the plane's width.
        means, whole, away: of these, the columns of the shrunk plane; rounded; how far that is off.
    """

    pixels: Plane
    floats: Floats
    strip: Floats
    means: Floats
    whole: Floats
    away: Floats

    @classmethod
    def of(cls, width: int, down: _Weights, across: _Weights) -> _Room:
        """Room for planes of this width."""
        (count, size, most), columns = down.blocks.shape, across.blocks.shape[0] * across.blocks.shape[1]
        at_once, rows = max(1, _IN_CACHE // (most * width)), min(count * size, _STRIP)
        made = (np.empty((rows, columns), np.float32) for _ in range(3))
        return cls(
            np.empty((at_once * most, width), np.uint8),
            np.empty((at_once, most, width), np.float32),
            np.empty((rows, width), np.float32),
            *made,
        )


def _down(plane: Plane, weights: _Weights, first: int, room: _Room) -> Floats:
    """A strip of the rows of the shrunk plane, from this block on, of the plane's width."""
    starts, blocks = weights.starts[first:], weights.blocks[first:]
    (_, size, most), width = blocks.shape, plane.shape[1]
    count, at_once, wide = min(len(starts), _STRIP // size), len(room.floats), _ONE_THREAD // (size * most)
    strip = room.strip[: count * size].reshape(count, size, width)
    for block in range(0, count, at_once):
        some = slice(block, min(count, block + at_once))
        covered = (starts[some, None] + np.arange(most)).ravel()
        pixels, floats = room.pixels[: covered.size], room.floats[: some.stop - block]
        np.take(plane, covered, axis=0, out=pixels, mode="clip")
        np.copyto(floats, pixels.reshape(floats.shape))
        for column in range(0, width, wide):
            part = slice(column, column + wide)
            np.matmul(blocks[some], floats[..., part], out=strip[some, :, part])
    return strip.reshape(count * size, width)


def _across(strip: Floats, weights: _Weights, room: _Room) -> Floats:
    """The columns of the shrunk plane for a strip of its rows."""
    _, size, most = weights.blocks.shape
    high = max(1, _ONE_THREAD // (size * most))
    for row in range(0, len(strip), high):
        rows, made = strip[row : row + high], room.means[row : min(row + high, len(strip))]
        for number, (start, block) in enumerate(zip(weights.starts.tolist(), weights.blocks, strict=True)):
            part = slice(number * size, (number + 1) * size)
            np.matmul(rows[:, start : start + most], block.T, out=made[:, part])
    return room.means[: len(strip)]


def _in_order(plane: Plane, down: _Weights, across: _Weights, y: Ints, x: Ints) -> Plane:
    """Some pixels of the shrunk plane, added up as OpenCV does: along each row, then the rows."""
    total = np.zeros(y.size, np.float32)
    for k in range(down.weights.shape[1]):
        row = np.zeros(y.size, np.float32)
        for n in range(across.weights.shape[1]):
            row += plane[down.places[y, k], across.places[x, n]] * across.weights[x, n]
        total += row * down.weights[y, k]
    return np.rint(total).astype(np.uint8)
