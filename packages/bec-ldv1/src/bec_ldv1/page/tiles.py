"""Planes to tiles and back: numerics 3."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bec_ldv1.page.decode import Plane
from bec_ldv1.page.scale import TILE

PAPER = 255

Number = TypeVar("Number", np.uint8, np.float32, np.bool_)


def cut(plane: Plane, step: int = TILE) -> list[Plane]:
    """Cut a plane into tiles of 512 × 512 px, row by row; uint8.

    The last ones of a row or column are padded right and bottom with white to a multiple of ``step`` px: 512, which is
    the contract's, or fewer for a network that takes smaller tiles.
    """
    return [_padded(plane[rows, columns], step) for rows, columns in _places(*plane.shape)]


def join(tiles: Sequence[npt.NDArray[Number]], height: int, width: int) -> npt.NDArray[Number]:
    """Put tiles (in `cut`'s order) together again and crop the padding.

    Raises:
        ValueError: the number or the size of the tiles doesn't fit a plane of this height and width.
    """
    places = list(_places(height, width))
    if len(tiles) != len(places):
        raise ValueError(
            f"a {width} × {height} px plane has {len(places)} tiles of {TILE} px, got {len(tiles)}"
        )
    whole = np.empty((height, width), tiles[0].dtype)
    for tile, (rows, columns) in zip(tiles, places, strict=True):
        part = whole[rows, columns]
        if tile.ndim != 2 or tile.shape[0] < part.shape[0] or tile.shape[1] < part.shape[1]:
            raise ValueError(f"a tile of shape {tile.shape} can't hold {part.shape} px of the plane")
        part[:] = tile[: part.shape[0], : part.shape[1]]
    return whole


def _places(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Which rows and columns of a plane each of its tiles shows."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield slice(top, min(top + TILE, height)), slice(left, min(left + TILE, width))


def _padded(part: Plane, step: int) -> Plane:
    height, width = part.shape
    size = -(-height // step) * step, -(-width // step) * step
    if size == part.shape:
        return part
    tile = np.full(size, PAPER, dtype=np.uint8)
    tile[:height, :width] = part
    return tile
