"""From upright pages back to the stored raster, for pages with an EXIF orientation and pages that lie on a side.

Manifests give the size of the stored raster, so records hold its pixels; but lines can only be found on the
upright page. An orientation is a number from 1 to 8, as EXIF has them.
"""

import attrs
import cv2
import numpy as np

from bec_ldv1.page.contours import Points
from bec_ldv1.page.decode import PageImage

_CYCLES = ((1, 8, 3, 6), (2, 5, 4, 7))
"""Orientations that follow from each other by a quarter turn counter-clockwise: unmirrored, and mirrored ones."""

_ROTATIONS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


def turned(orientation: int, quarter_turns: int) -> int:
    """The orientation that turns as `orientation` does, and then by quarter turns counter-clockwise."""
    cycle = next(cycle for cycle in _CYCLES if orientation in cycle)
    return cycle[(cycle.index(orientation) + quarter_turns) % 4]


def turns_of(orientation: int) -> int | None:
    """How many quarter turns counter-clockwise an orientation is; None for one that mirrors."""
    return _CYCLES[0].index(orientation) if orientation in _CYCLES[0] else None


def turned_page(page: PageImage, quarter_turns: int) -> PageImage:
    """The page after so many quarter turns counter-clockwise; its orientation says so too."""
    if quarter_turns % 4 == 0:
        return page
    plane = np.asarray(cv2.rotate(page.plane, _ROTATIONS[quarter_turns % 4]), np.uint8)
    return attrs.evolve(page, plane=plane, orientation=turned(page.orientation, quarter_turns))


def to_stored(points: Points, orientation: int, width: int, height: int) -> Points:
    """Points x, y of an upright page `width` × `height` in the stored raster's pixels."""
    x, y = points[:, 0], points[:, 1]
    if orientation in (3, 4, 7, 8):
        y = height - 1 - y
    if orientation in (2, 3, 6, 7):
        x = width - 1 - x
    return np.column_stack((y, x) if orientation >= 5 else (x, y))


def stored_angle(angle: float, orientation: int) -> float:
    """An upright page's rotation as one of the stored raster: mirrored rasters turn the other way."""
    return -angle if orientation in (2, 4, 5, 7) else angle


def to_upright(points: Points, orientation: int, width: int, height: int) -> Points:
    """Points x, y of a stored raster on the upright page, which is `width` × `height`: undoes `to_stored`."""
    x, y = (points[:, 1], points[:, 0]) if orientation >= 5 else (points[:, 0], points[:, 1])
    if orientation in (2, 3, 6, 7):
        x = width - 1 - x
    if orientation in (3, 4, 7, 8):
        y = height - 1 - y
    return np.column_stack((x, y))
