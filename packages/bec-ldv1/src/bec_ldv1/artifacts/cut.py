"""A line's image, straightened: what a recogniser reads."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.artifacts.course import course_of
from bec_ldv1.artifacts.ends import mark_columns
from bec_ldv1.artifacts.frames import AnyPoints, Sized, check_size
from bec_ldv1.errors import PageProblem
from bec_ldv1.page.contours import Points
from bec_ldv1.page.decode import PageImage, Plane
from bec_ldv1.page.orientation import to_upright

_PAPER = 0.9
"""So much of a line is at most as light as its paper: ink rarely covers half of it."""

_EDGE = 4  # columns within an outline's ends, where its upper and lower edge are both there

_Map = npt.NDArray[np.float32]


class Shaped(Protocol):
    """Whatever has an outline and a course in stored pixels: a `TextLine`, or a line of your own."""

    @property
    def polygon(self) -> AnyPoints:
        """The outline, n × 2 (x, y)."""

    @property
    def baseline(self) -> AnyPoints:
        """The course, from the line's left to its right."""


def cut_line(
    image: PageImage, page: Sized, line: Shaped, *, mask: bool = True, pad: int = 0, marks: bool = True
) -> Plane:
    """A line's image: level, straight and upright, one page pixel per pixel.

    Args:
        image: the decoded page.
        page: says the size that the image must have.
        line: its outline, and its course in the direction of reading: that says which side is up, so a page that
            lies on a side or on its head needs not be turned.
        mask: paint what lies outside the outline in the colour of the paper around the letters; else the image
            shows whatever of the neighbouring lines comes into its rectangle.
        marks: go on where a last tsheg or shad stands just beyond the outline: such marks are too little ink to be
            found as part of a line.
        pad: so many pixels more on every side, of paper or, without the mask, of what is there.

    Returns:
        uint8, rows × columns, 0 is black; as wide as the line is long, as high as its outline reaches above and
        below its course.

    Raises:
        PageProblem: the image has not the size that is recorded, so that it is another one; or the line has no
            outline or no course.
    """
    check_size(image, page)
    outline, baseline = _upright(image, line.polygon, least=3), _upright(image, line.baseline, least=2)
    course = course_of(outline, baseline)
    before, after = mark_columns(image.plane, course) if marks else (0, 0)
    map_x, map_y = course.extended(before + pad, after + pad, pad).maps()
    seen = cv2.remap(image.plane, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    crop = np.asarray(seen, np.uint8)
    if mask:
        within = _inside(outline, map_x, map_y)
        _widen(within, pad, before, after)
        if within.any():
            crop[within == 0] = _paper(crop, within)
    return crop


def _upright(image: PageImage, points: AnyPoints, *, least: int) -> Points:
    """Points of a line in the image's plane; what lies beyond its edges, where there are no pixels, is drawn in."""
    if len(points) < least or not np.isfinite(points).all():
        raise PageProblem(
            f"a line has only {len(points)} points, or some that are no numbers", stage="record"
        )
    upright = to_upright(points.astype(np.float64), image.orientation, image.width, image.height)
    return np.clip(upright, 0, (image.width, image.height))


def _inside(polygon: Points, map_x: _Map, map_y: _Map) -> Plane:
    """Which places lie inside an outline: 1, else 0."""
    outline = np.rint(polygon).astype(np.int32)
    corner = outline.min(axis=0)
    width, height = (outline.max(axis=0) - corner + 1).tolist()
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [outline - corner], 1)
    at = (map_x - np.float32(corner[0]), map_y - np.float32(corner[1]))
    return np.asarray(cv2.remap(inside, *at, cv2.INTER_NEAREST), np.uint8)


def _widen(within: Plane, pad: int, before: int, after: int) -> None:
    """Let what lies beside the outline's ends be seen as far as the ends themselves are."""
    first, last = pad + before, within.shape[1] - pad - after - 1
    inner = min(_EDGE, (last - first) // 2)
    within[:, pad:first] = within[:, first + inner, None]
    within[:, last + 1 : last + 1 + after] = within[:, last - inner, None]


def _paper(crop: Plane, within: Plane) -> int:
    """The grey of the paper around a line's letters."""
    counts = np.cumsum(cv2.calcHist([crop], [0], within, [256], [0, 256]))
    return int(np.searchsorted(counts, _PAPER * counts[-1]))
