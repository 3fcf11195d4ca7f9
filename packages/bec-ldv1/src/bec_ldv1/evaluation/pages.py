"""Values of the evaluator: the lines of one page, and the document that a page belongs to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

import attrs
import numpy as np
from numpy.typing import NDArray

from bec_core import BecError

Polygon = NDArray[np.float32]
"""N×2 points (x, y) in pixels of the page, N >= 3."""

_SAME_DOCUMENT = re.compile(r"img_[1-4]")
_ENDINGS = frozenset(
    [".bmp", ".gif", ".j2k", ".jp2", ".jpeg", ".jpf", ".jpg", ".jpx", ".png", ".tif", ".tiff", ".webp"]
)
_PAGE_NUMBER = re.compile(r"[_-]?\d{1,4}$")


class TruthError(BecError):
    """A file with line regions can't be read; the message names the file and what is wrong."""


def polygon_of(points: object) -> Polygon:
    """The float32 N×2 array of a list of points.

    Raises ``ValueError`` when it isn't one, has under 3 points or holds a number that is not finite.
    """
    polygon = np.asarray(points, dtype=np.float32)
    if polygon.ndim != 2 or polygon.shape[1] != 2 or polygon.shape[0] < 3:
        raise ValueError(f"a polygon needs at least three points (x, y); here are {np.size(polygon) // 2}")
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
    ``without_outline`` says of each line that had to be left out why. ``in_pixels`` is False when size and
    polygons are lengths on paper: `scaled_to` the image they are pixels.
    """

    image: str
    size: tuple[int, int] | None
    regions: tuple[Polygon, ...]
    ignore: tuple[Polygon, ...] = ()
    script: str = ""
    line_count: int | None = None
    without_outline: tuple[str, ...] = ()
    in_pixels: bool = True

    @property
    def name(self) -> str:
        """The image's file name without its folder, in Unicode's composed form (NFC): what pages are paired by."""
        return composed(PurePosixPath(self.image.replace("\\", "/")).name)

    def scaled_to(self, size: tuple[int, int]) -> PageLines:
        """The page in pixels of its image, which is so large; as it is when it is in pixels already."""
        if self.in_pixels or self.size is None:
            return self
        scale = np.array(size, np.float32) / np.array(self.size, np.float32)
        scaled = self._with(lambda polygon: (polygon * scale).astype(np.float32))
        return attrs.evolve(scaled, size=size, in_pixels=True)

    @property
    def stands(self) -> bool:
        """Whether its lines run more down than across: the page lies on a side."""
        reach = [np.ptp(polygon, axis=0) for polygon in self.regions]
        across, down = np.sum(reach, axis=0) if reach else (0, 0)
        return bool(down > across)

    def transposed(self) -> PageLines:
        """The page with x and y swapped: lines that run down run across."""
        swapped = self._with(lambda polygon: polygon[:, ::-1])
        return attrs.evolve(swapped, size=None if self.size is None else self.size[::-1])

    def _with(self, change: Callable[[Polygon], Polygon]) -> PageLines:
        regions, ignore = (tuple(map(change, polygons)) for polygons in (self.regions, self.ignore))
        return attrs.evolve(self, regions=regions, ignore=ignore)


def composed(name: str) -> str:
    """A file name in NFC: some systems store names decomposed, and lists made elsewhere don't."""
    return unicodedata.normalize("NFC", name)


class Names:
    """File names in which a page is looked up."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        self._by_stem: dict[str, list[str]] = {}
        for name in sorted(self._names):
            self._by_stem.setdefault(_stem(name), []).append(name)

    def meant_by(self, name: str) -> list[str]:
        """Those that a page of this name may mean.

        The same name; else, where one of the two has no image's ending (a file that doesn't name its image is called
        as itself), those of the same stem.
        """
        if name in self._names:
            return [name]
        stem = _stem(name)
        return [other for other in self._by_stem.get(stem, ()) if stem in (name, other)]


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in _ENDINGS else name


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
