"""The size a page is detected at: numerics 1, second half."""

import cv2
import numpy as np

from bec_ldv1.page.area import area_resize
from bec_ldv1.page.decode import PageImage, Plane

TILE = 512
MAX_WIDTH = 4096
MAX_HEIGHT = 2048
MAX_ROWS = 2
SNAP = 78
WIDE = 2.5
MOST_ENLARGED = 4.0
LEAST_ENLARGED = 1.1


def detection_scale(width: int, height: int) -> float:
    """The factor from original to detection pixels; 1 or more means that the page stays as it is.

    A leaf wider than 2.5 times its height fills one row of tiles. Other pages fit 4096 × 2048; a height just
    short of one row is raised to it, one just above a row boundary snapped down to it; two rows are the most.
    """
    if width > WIDE * height:
        return min(TILE / height, MAX_WIDTH / width)
    scale = min(MAX_WIDTH / width, MAX_HEIGHT / height, 1.0)
    scaled = height * scale
    if 0.75 * TILE < scaled < TILE:
        scale, scaled = TILE / height, float(TILE)
    boundary = TILE * (scaled // TILE)
    if boundary and 0 < scaled - boundary <= SNAP:
        scale, scaled = boundary / height, boundary
    if scaled > TILE * MAX_ROWS:
        scale = TILE * MAX_ROWS / height
    return scale


def detection_size(width: int, height: int) -> tuple[int, int]:
    """Width and height in detection pixels, truncated to whole pixels, at least 1, never more than given."""
    scale = detection_scale(width, height)
    if scale >= 1:
        return width, height
    return max(1, int(width * scale)), max(1, int(height * scale))


def shrink(page: PageImage) -> Plane:
    """The page at its detection size: area averaging for grey, nearest for bilevel pages; never enlarged."""
    size = detection_size(page.width, page.height)
    if size == (page.width, page.height):
        return page.plane
    if page.bilevel:
        return np.asarray(cv2.resize(page.plane, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    return area_resize(page.plane, size)


def enlarged_size(width: int, height: int) -> tuple[int, int] | None:
    """The size to enlarge a small page to, in detection pixels; None where it is large enough.

    Full-size leaves are detected 512 px high and other pages 1,024 px; smaller scans of them hold the same lines with
    fewer pixels. They are enlarged to that height, by ``MOST_ENLARGED`` at most and to ``MAX_WIDTH`` px of width.
    """
    target = TILE if width > WIDE * height else TILE * MAX_ROWS
    scale = min(target / height, MAX_WIDTH / width, MOST_ENLARGED)
    if scale <= LEAST_ENLARGED:
        return None
    return int(width * scale), int(height * scale)
