"""Line regions as small masks, and the two questions that the evaluator asks of a pair of them.

Everything is measured on a raster of at most ``RASTER_SIDE`` pixels: exact enough for lines (the smallest of
the development set is 8 raster pixels high) and the same for a polygon of any shape, self-crossing ones too.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.evaluation.pages import PageLines, Polygon

RASTER_SIDE = 2048
"""Longest side of the raster, in pixels; smaller pages keep their own size."""

_FAR = 1e6  # a coordinate beyond every raster, which OpenCV's fixed-point drawing still holds


@attrs.frozen(eq=False)
class Region:
    """One line on the raster: ``mask`` (bool h×w) at offset (``x``, ``y``).

    ``centre_x``/``centre_y`` (int) are the raster points of its centre line: in every pixel column that the
    region covers, the middle between its topmost and its lowest pixel.
    """

    x: int
    y: int
    mask: NDArray[np.bool_]
    centre_x: NDArray[np.int64]
    centre_y: NDArray[np.int64]

    @property
    def area(self) -> int:
        """Number of raster pixels inside."""
        return int(self.mask.sum())


def raster_scale(pages: Sequence[PageLines]) -> tuple[float, tuple[int, int]]:
    """Scale from page pixels to the raster, and the raster's size (width, height).

    The page's size is the one stated, else what the regions reach to.
    """
    width = height = 1.0
    for page in pages:
        if page.size is not None:
            width, height = max(width, page.size[0]), max(height, page.size[1])
            break
    else:
        for page in pages:
            for polygon in (*page.regions, *page.ignore):
                width, height = max(width, polygon[:, 0].max() + 1), max(height, polygon[:, 1].max() + 1)
    scale = min(1.0, RASTER_SIDE / max(width, height))
    return scale, (max(1, round(width * scale)), max(1, round(height * scale)))


def region_of(polygon: Polygon, scale: float, frame: tuple[int, int]) -> Region | None:
    """The polygon on the raster, cut to the ``frame`` (width, height); None when nothing of it is inside.

    A region is the pixels that the polygon covers, border included.
    """
    points = np.rint(np.clip(polygon * scale, -_FAR, _FAR)).astype(np.int32)
    x0, y0 = np.maximum(points.min(axis=0), 0)
    x1, y1 = np.minimum(points.max(axis=0), np.array(frame) - 1)
    if x1 < x0 or y1 < y0:
        return None
    canvas = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(canvas, [points], color=1, offset=(-int(x0), -int(y0)))
    mask = canvas.astype(bool)
    columns = np.flatnonzero(mask.any(axis=0))
    if columns.size == 0:
        return None
    inside = mask[:, columns]
    top = inside.argmax(axis=0)
    bottom = inside.shape[0] - 1 - inside[::-1].argmax(axis=0)
    return Region(int(x0), int(y0), mask, columns + int(x0), (top + bottom) // 2 + int(y0))


def centre_inside(line: Region, other: Region) -> float:
    """Share of ``line``'s centre line, by columns, that runs inside ``other``'s region (0 to 1)."""
    x, y = line.centre_x - other.x, line.centre_y - other.y
    height, width = other.mask.shape
    near = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return float(other.mask[y[near], x[near]].sum()) / line.centre_x.size


def intersection_over_union(a: Region, b: Region) -> float:
    """Common pixels over all pixels of the two regions (0 to 1)."""
    x0, y0 = max(a.x, b.x), max(a.y, b.y)
    x1 = min(a.x + a.mask.shape[1], b.x + b.mask.shape[1])
    y1 = min(a.y + a.mask.shape[0], b.y + b.mask.shape[0])
    if x1 <= x0 or y1 <= y0:
        return 0.0
    part_a = a.mask[y0 - a.y : y1 - a.y, x0 - a.x : x1 - a.x]
    part_b = b.mask[y0 - b.y : y1 - b.y, x0 - b.x : x1 - b.x]
    common = int((part_a & part_b).sum())
    return common / (a.area + b.area - common)


def paint(regions: Sequence[Region], frame: tuple[int, int]) -> NDArray[np.bool_]:
    """The union of the regions as one bool mask of the ``frame`` (width, height)."""
    canvas = np.zeros((frame[1], frame[0]), bool)
    for region in regions:
        height, width = region.mask.shape
        canvas[region.y : region.y + height, region.x : region.x + width] |= region.mask
    return canvas
