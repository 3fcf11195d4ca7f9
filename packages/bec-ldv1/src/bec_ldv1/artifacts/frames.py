"""The three frames in which a page has coordinates, and the ways between them.

*Stored*: pixels of the image file's raster. *Upright*: the page as it is read, after its EXIF orientation and its
quarter turns. *Rectified*: the stored raster after the rotation and the spline that make lines level and straight;
the contract's contours are there, and the boxes of an OCR job's lines.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.errors import PageProblem
from bec_ldv1.page.contours import Points
from bec_ldv1.page.decode import PageImage
from bec_ldv1.page.rectify import Rectification

AnyPoints = npt.NDArray[np.number]
"""Points of any number type, n × 2 (x, y)."""

_INT16 = np.iinfo(np.int16)


class Sized(Protocol):
    """A page whose image's size is recorded: a `PageLines`, or a row of your own."""

    @property
    def width(self) -> int | None:
        """Of the stored image, in pixels."""

    @property
    def height(self) -> int | None:
        """Of the stored image, in pixels."""


class Rectified(Protocol):
    """A page of which is recorded how it was rectified: a `PageLines`, or a row of your own."""

    @property
    def width(self) -> int | None:
        """Of the stored image, in pixels."""

    @property
    def height(self) -> int | None:
        """Of the stored image, in pixels."""

    @property
    def rotation_angle(self) -> float:
        """In degrees, counter-clockwise positive."""

    @property
    def tps_points(self) -> npt.NDArray[np.float32] | None:
        """The spline's control points."""

    @property
    def tps_alpha(self) -> float | None:
        """The spline's regularisation."""


class Outlined(Protocol):
    """Whatever has an outline in stored pixels."""

    @property
    def polygon(self) -> AnyPoints:
        """The outline, n × 2 (x, y)."""


def check_size(image: PageImage, page: Sized) -> None:
    """Refuse an image that is not the page's.

    Raises:
        PageProblem: the image has not the size that is recorded.
    """
    wanted, size = (page.width, page.height), image.stored_size
    if wanted not in (size, (None, None)):
        raise PageProblem(
            f"the image is {size[0]} × {size[1]} px, the recorded one was {wanted[0]} × {wanted[1]} px",
            stage="decode",
        )


def rectification(page: Rectified) -> Rectification:
    """What was done to the page, in stored pixels.

    Raises:
        ValueError: the page's size is not known.
        PageProblem: the recorded spline's points admit no spline.
    """
    if page.width is None or page.height is None:
        raise ValueError("the page's size is not recorded; PageLines.on(image) gives the page a size")
    return Rectification.recorded(
        page.width, page.height, page.rotation_angle, page.tps_points, page.tps_alpha
    )


def to_rectified(page: Rectified, points: AnyPoints) -> Points:
    """Stored points on the rectified page.

    Raises:
        ValueError: the page's size is not known.
        PageProblem: the recorded spline folds there, or its points admit none.
    """
    return rectification(page).to_rectified(points.astype(np.float64))


def from_rectified(page: Rectified, points: AnyPoints) -> Points:
    """Points of the rectified page in the stored raster; raises as `to_rectified`."""
    return rectification(page).to_page(points.astype(np.float64))


def line_bbox_rectified(page: Rectified, line: Outlined) -> tuple[int, int, int, int]:
    """A line's box x, y, w, h on the rectified page, as the contract has boxes; see `int16_box` for its columns.

    Raises:
        ValueError: the page's size is not known.
        PageProblem: the recorded spline folds there, or its points admit none.
    """
    outline = np.rint(to_rectified(page, line.polygon)).astype(np.int32)
    x, y, width, height = cv2.boundingRect(outline)
    return x, y, width, height


def int16_box(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """A box as the contract's columns can hold it: what lies beyond ±32,767 px is cut off."""
    x, y, width, height = box
    left, top, right, bottom = (
        min(max(side, -_INT16.max), int(_INT16.max)) for side in (x, y, x + width, y + height)
    )
    return left, top, min(right - left, int(_INT16.max)), min(bottom - top, int(_INT16.max))
