"""From a decoded page to what a network is shown: its size, its light, its ink.

Contract checkpoints are shown what numerics 1 and 2 say. The model in the box asks for more (`Preparation`): small
pages are enlarged to the size that it was trained at, dark scans are lit up before the threshold, light writing on
dark ground is turned into dark writing on light ground.
"""

from __future__ import annotations

from functools import cached_property

import attrs
import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.area import area_resize
from bec_ldv1.page.binarize import adaptive_threshold, linear_light
from bec_ldv1.page.components import ink_pieces
from bec_ldv1.page.decode import PageImage, Plane
from bec_ldv1.page.light import even_light, light_on_dark, lost_strokes
from bec_ldv1.page.scale import detection_size, enlarged_size, shrink
from bec_ldv1.page.skew import MAX_ANGLE

_INK_LEVEL = (
    150  # of 255: an averaged pixel of a bilevel page that is darker is ink, so that thin strokes stay whole
)


@attrs.frozen
class Preparation:
    """What a model wants done to pages beyond the contract's numerics; by default nothing.

    Attributes:
        enlarge: bring small pages to the height that full-size pages are detected at.
        even_light: lift dark pages to the brightness of good scans, place by place, before the threshold; turn
            light writing on dark ground round; average bilevel pages when they shrink instead of picking pixels.
        turns: where little is found, try the page turned by 90, 180 and 270 degrees.
        steepest: lines that are askew by up to so many degrees are made level. Beyond the contract's 5, pages of which
            little is read are also tried level, and what is level is looked at as large as an upright leaf is.
    """

    enlarge: bool = False
    even_light: bool = False
    turns: bool = False
    steepest: float = MAX_ANGLE

    @property
    def levels(self) -> bool:
        """Whether askew pages are looked at level, at the scale of the leaf alone."""
        return self.steepest > MAX_ANGLE


@attrs.frozen(eq=False)
class Prepared:
    """A page at its detection size.

    Attributes:
        light: uint8 height × width, in linear light: what is thresholded again when it has been rectified.
        ink: what the network sees, the same size: 0 is ink, 255 paper.
        grey: what `light` was made of, before its light was evened; None for a bilevel page.
    """

    light: Plane
    ink: Plane
    grey: Plane | None = None

    @cached_property
    def pieces(self) -> npt.NDArray[np.int32]:
        """Box and area of the connected pieces of its ink, see `ink_pieces`; looked for when asked."""
        return ink_pieces(self.ink)

    @property
    def faint(self) -> bool:
        """Whether the page has strokes, and most of them were lost on the way to `ink`; looked for when asked."""
        return self.grey is not None and lost_strokes(self.grey, self.pieces)


def prepare(page: PageImage, wanted: Preparation, size: tuple[int, int] | None = None) -> Prepared:
    """The page as a model with these wishes sees it; ``size`` is what to detect it at, if not as large as usual."""
    small = _resized(page, wanted) if size is None else _at(page, size)
    if page.bilevel:
        ink = np.asarray(cv2.threshold(small, _INK_LEVEL - 1, 255, cv2.THRESH_BINARY)[1], np.uint8)
        if wanted.even_light and light_on_dark(ink):
            ink = 255 - ink
        return Prepared(linear_light(ink), ink)
    if wanted.even_light and light_on_dark(small):
        small = 255 - small
    light = linear_light(even_light(small) if wanted.even_light else small)
    return Prepared(light, adaptive_threshold(light), small)


def working_size(width: int, height: int, wanted: Preparation) -> tuple[int, int]:
    """The size, in detection pixels, that a page of so many original ones is detected at."""
    larger = enlarged_size(width, height) if wanted.enlarge else None
    return larger or detection_size(width, height)


def _resized(page: PageImage, wanted: Preparation) -> Plane:
    """The page at its detection size; a bilevel one may come back with greys."""
    size = working_size(page.width, page.height, wanted)
    if size[0] > page.width:
        return _at(page, size)
    return shrink(attrs.evolve(page, bilevel=False) if wanted.even_light else page)


def _at(page: PageImage, size: tuple[int, int]) -> Plane:
    if size[0] > page.width:
        return np.asarray(cv2.resize(page.plane, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return area_resize(page.plane, size)
