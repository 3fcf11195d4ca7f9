"""From a decoded page to what a network is shown: its size, its light, its ink.

Contract checkpoints are shown what numerics 1 and 2 say. The model in the box asks for more (`Preparation`): small
pages are enlarged to the size that it was trained at, dark scans are lit up before the threshold, light writing on
dark ground is turned into dark writing on light ground.
"""

from __future__ import annotations

import attrs
import cv2
import numpy as np

from bec_ldv1.page.binarize import adaptive_threshold, linear_light
from bec_ldv1.page.decode import PageImage, Plane
from bec_ldv1.page.light import even_light, light_on_dark, lost_strokes
from bec_ldv1.page.scale import enlarged_size, shrink
from bec_ldv1.page.skew import MAX_ANGLE

_SMOOTH = cv2.INTER_CUBIC
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
        steepest: lines that are askew by up to so many degrees are made level.
    """

    enlarge: bool = False
    even_light: bool = False
    turns: bool = False
    steepest: float = MAX_ANGLE


@attrs.frozen(eq=False)
class Prepared:
    """A page at its detection size.

    Attributes:
        light: uint8 height × width, in linear light: what is thresholded again when it has been rectified.
        ink: what the network sees, the same size: 0 is ink, 255 paper.
        faint: the page has strokes, and most of them were lost on the way to `ink`.
    """

    light: Plane
    ink: Plane
    faint: bool


def prepare(page: PageImage, wanted: Preparation) -> Prepared:
    """The page as a model with these wishes sees it."""
    small = _resized(page, wanted)
    if page.bilevel:
        ink = np.where(small < _INK_LEVEL, 0, 255).astype(np.uint8)
        if wanted.even_light and light_on_dark(ink):
            ink = 255 - ink
        return Prepared(linear_light(ink), ink, faint=False)
    if wanted.even_light and light_on_dark(small):
        small = 255 - small
    light = linear_light(even_light(small) if wanted.even_light else small)
    ink = adaptive_threshold(light)
    return Prepared(light, ink, faint=lost_strokes(small, ink))


def _resized(page: PageImage, wanted: Preparation) -> Plane:
    """The page at its detection size; a bilevel one may come back with greys."""
    larger = _enlarged(page) if wanted.enlarge else None
    if larger is not None:
        return larger
    return shrink(attrs.evolve(page, bilevel=False) if wanted.even_light else page)


def _enlarged(page: PageImage) -> Plane | None:
    """The page enlarged to the size it is detected at; None where it is large enough."""
    size = enlarged_size(page.width, page.height)
    if size is None:
        return None
    return np.asarray(cv2.resize(page.plane, size, interpolation=_SMOOTH), np.uint8)
