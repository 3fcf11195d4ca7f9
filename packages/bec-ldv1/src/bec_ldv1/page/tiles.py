"""Planes to tiles and back: numerics 3."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bec_ldv1.page.decode import Plane
from bec_ldv1.page.scale import TILE

Number = TypeVar("Number", np.uint8, np.float32, np.bool_)


def grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles that cover a plane."""
    return -(-height // TILE), -(-width // TILE)


def cut(plane: Plane) -> Plane:
    """Cut a plane into tiles, row by row: uint8, tiles × 512 × 512; padded right and bottom with white."""
    height, width = plane.shape
    rows, columns = grid(height, width)
    padded = np.full((rows * TILE, columns * TILE), 255, dtype=np.uint8)
    padded[:height, :width] = plane
    return np.ascontiguousarray(
        padded.reshape(rows, TILE, columns, TILE).swapaxes(1, 2).reshape(rows * columns, TILE, TILE)
    )


def join(tiles: npt.NDArray[Number], height: int, width: int) -> npt.NDArray[Number]:
    """Put tiles (tiles × 512 × 512, in `cut`'s order) together again and crop the padding.

    Raises:
        ValueError: the number or the size of the tiles doesn't fit a plane of this height and width.
    """
    rows, columns = grid(height, width)
    if tiles.shape != (rows * columns, TILE, TILE):
        raise ValueError(
            f"a {width} × {height} px plane has {rows * columns} tiles of {TILE} px, got shape {tiles.shape}"
        )
    whole = tiles.reshape(rows, columns, TILE, TILE).swapaxes(1, 2).reshape(rows * TILE, columns * TILE)
    return np.ascontiguousarray(whole[:height, :width])
