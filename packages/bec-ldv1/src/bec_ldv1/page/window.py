"""Which part of a levelled page is looked at: all that is written on it, at the scale of the leaf alone.

A leaf that lies askew in its scan has wedges of nothing around it, which would make its writing small; and when it is
made level, what lay in the scan's corners leaves the scan's frame.
"""

from __future__ import annotations

import cv2
import numpy as np

from bec_ldv1.page.contours import Points
from bec_ldv1.page.decode import Plane
from bec_ldv1.page.rectify import Rectification, Window

_CELL = 4  # detection px
_WRITTEN = 0.2  # share of a cell that is ink: less are specks
_EDGE = 0.01  # of the scan's longer side: the scanner's own edges
_MARGIN = 0.03  # of the scan's shorter side, around what is written
_LEAST = 0.3  # of the scan's side: what a leaf ten times as wide as high has of it at 12 degrees


def written_window(ink: Plane, level: Rectification) -> Window:
    """The part of the levelled page, in its pixels, with all ink and the leaf whose corners touch the scan's edges.

    Args:
        ink: of the page as it is, height × width, 0 is ink.
        level: what levels it, in the same pixels.
    """
    half = _leaf(level) / 2
    centre = np.array([level.width, level.height]) / 2
    places = [centre - half, centre + half]
    written = level.to_rotated(_places(ink))
    if len(written):
        margin = _MARGIN * min(level.width, level.height)
        places += [written.min(axis=0) - margin, written.max(axis=0) + margin]
    frame = level.to_rotated(_corners(level))
    first = np.maximum(np.min(places, axis=0), frame.min(axis=0))
    last = np.minimum(np.max(places, axis=0), frame.max(axis=0))
    left, top, width, height = (int(value) for value in (*np.floor(first), *np.ceil(last - first)))
    return Window(left, top, max(1, width), max(1, height))


def _leaf(level: Rectification) -> Points:
    """Width and height of the rectangle that, turned, just touches all sides of the scan."""
    scan = np.array([level.width, level.height], np.float64)
    cosine, sine = np.cos(np.deg2rad(level.angle)), abs(np.sin(np.deg2rad(level.angle)))
    leaf = (scan * cosine - scan[::-1] * sine) / (cosine**2 - sine**2)
    return np.asarray(np.maximum(leaf, _LEAST * scan))


def _places(ink: Plane) -> Points:
    """The middles x, y of the cells that are written, but for those at the very edge of the scan."""
    height, width = ink.shape
    size = max(1, width // _CELL), max(1, height // _CELL)
    cells = cv2.resize((ink == 0).astype(np.float32), size, interpolation=cv2.INTER_AREA) > _WRITTEN
    edge = int(np.ceil(_EDGE * max(size)))
    inner = np.zeros_like(cells)
    inner[edge:-edge, edge:-edge] = cells[edge:-edge, edge:-edge]
    rows, columns = np.nonzero(inner)
    scale = np.array([width / size[0], height / size[1]])
    return np.asarray(np.column_stack((columns + 0.5, rows + 0.5)) * scale, np.float64)


def _corners(level: Rectification) -> Points:
    return np.array([(x, y) for x in (0, level.width) for y in (0, level.height)], np.float64)
