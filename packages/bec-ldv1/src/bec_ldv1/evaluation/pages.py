"""Values of the evaluator: the lines of one page, and the document that a page belongs to."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import attrs
import numpy as np
from numpy.typing import NDArray

from bec_core import BecError

Polygon = NDArray[np.float32]
"""N×2 points (x, y) in pixels of the page, N >= 3."""

_SAME_DOCUMENT = re.compile(r"img_[1-4]")
_PAGE_NUMBER = re.compile(r"[_-]?\d{1,4}$")


class TruthError(BecError):
    """A file with line regions can't be read; the message names the file and what is wrong."""


def polygon_of(points: object) -> Polygon:
    """The float32 N×2 array of a list of points.

    Raises ``ValueError`` when it isn't one, has under 3 points or holds a number that is not finite.
    """
    polygon = np.asarray(points, dtype=np.float32)
    if polygon.ndim != 2 or polygon.shape[1] != 2 or polygon.shape[0] < 3:
        raise ValueError(f"a polygon needs at least three (x, y) points, got an array of {polygon.shape}")
    if not np.isfinite(polygon).all():
        raise ValueError("a polygon holds a coordinate that is not a finite number")
    return polygon


def box_polygon(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    """The four corners of a box, clockwise from its top left one."""
    return polygon_of([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


@attrs.frozen(eq=False)
class PageLines:
    """The lines of one page: hand-made (truth) or detected.

    ``regions`` are the lines' polygons in reading order; ``ignore`` the polygons in which detections don't
    count (side titles, page numbers); ``size`` is (width, height) in pixels or None when the file does not
    say. ``line_count`` is set when only the number of lines is known (``regions`` is then empty).
    """

    image: str
    size: tuple[int, int] | None
    regions: tuple[Polygon, ...]
    ignore: tuple[Polygon, ...] = ()
    script: str = ""
    line_count: int | None = None

    @property
    def name(self) -> str:
        """The image's file name without its folder: what pages are paired by."""
        return PurePosixPath(self.image.replace("\\", "/")).name


def document_of(image: str) -> str:
    """The document that an image of ``shared/data`` belongs to, from its name.

    A page's number at the end of the name is dropped, so that pages of one volume share a document.
    Two exceptions are known and built in: ``img_1`` … ``img_4`` are one page scanned four ways (and other
    ``img_N`` are documents of their own), and the pages ``X_pdf_0003`` … are those of ``X_0001`` … again.
    """
    stem = PurePosixPath(image.replace("\\", "/")).stem
    if _SAME_DOCUMENT.fullmatch(stem):
        return "img_1-4"
    if stem.startswith("img_"):
        return stem
    stem = stem.removesuffix("_crop")
    document = _PAGE_NUMBER.sub("", stem) or stem
    return document.removesuffix("_pdf")
