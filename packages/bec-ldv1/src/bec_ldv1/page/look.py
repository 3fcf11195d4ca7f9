"""Looks at a page: as it is, level, turned by quarters; the one that shows most is what is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.binarize import adaptive_threshold
from bec_ldv1.page.components import ink_pieces
from bec_ldv1.page.contours import Contour, Postprocess, find_contours
from bec_ldv1.page.decode import PageFrame, PageImage, Plane
from bec_ldv1.page.direction import Evidence, best_turn, evidence, turns_to_try
from bec_ldv1.page.orientation import turned_page
from bec_ldv1.page.prepare import Preparation, Prepared, prepare, working_size
from bec_ldv1.page.rectify import Rectification, Window
from bec_ldv1.page.skew import skew_angle
from bec_ldv1.page.tilt import tilt
from bec_ldv1.page.window import written_window

SECOND_PASS_ANGLE = 3.0
"""Rotations from this on, in degrees, are detected once more on the rotated page."""


class LineNetwork(Protocol):
    """What detection needs of a network; `bec_ldv1.network.engine.Engine` is one."""

    @property
    def postprocess(self) -> Postprocess:
        """What makes outlines of its probabilities."""

    @property
    def preparation(self) -> Preparation:
        """What it wants done to pages beyond the contract's numerics."""

    def infer(self, ink: Plane) -> npt.NDArray[np.float32]:
        """The probability of line of each pixel: uint8 height × width (255 is paper) to float32 of that shape."""


@attrs.frozen(eq=False)
class Look:
    """What a network saw of a page.

    Attributes:
        page: what it looks at, before it was rectified.
        ground: the brightness of what lies beyond the page once that is rectified.
        seen: how it was rectified.
        window: which part of the rectified page the planes below show.
        ink: what the network saw: uint8 height × width.
        probabilities: float32, the same size.
        outlines: of what is line, in the same pixels.
    """

    page: Prepared
    ground: int
    seen: Rectification
    window: Window
    ink: Plane
    probabilities: npt.NDArray[np.float32]
    outlines: Sequence[Contour]

    @classmethod
    def at(
        cls,
        page: Prepared,
        ink: Plane,
        network: LineNetwork,
        *,
        seen: Rectification,
        window: Window,
        ground: int = 0,
    ) -> Look:
        """A look at this ink, which is what a window shows of the rectified page."""
        probabilities = network.infer(ink)
        outlines = outlines_of(probabilities, network.postprocess)
        return cls(page, ground, seen, window, ink, probabilities, outlines)

    @cached_property
    def evidence(self) -> Evidence:
        """How much writing it shows."""
        return evidence(self.probabilities, self.ink, self.seen.width * self.seen.height)

    @property
    def pieces(self) -> npt.NDArray[np.int32]:
        """Box and area of the connected pieces of the ink, see `ink_pieces`."""
        return self.page.pieces if self.ink is self.page.ink else ink_pieces(self.ink)

    def rectified(self, seen: Rectification, network: LineNetwork) -> Look:
        """A look at the same part of the page, rectified otherwise."""
        return _rectified(self.page, network, seen, self.window, self.ground)


@attrs.frozen(eq=False)
class Upright:
    """The look at a page in the direction in which it shows most.

    Attributes:
        page: the upright page's size and orientation. Not its pixels: they may be many, and nobody needs them any more.
        quarters: the quarter turns, counter-clockwise, that brought it upright after its EXIF orientation.
        look: what was seen.
    """

    page: PageFrame
    quarters: int
    look: Look


def upright_look(page: PageImage, network: LineNetwork) -> Upright:
    """Look at a page as it is, and where little or nothing sure is found turned by quarters, too."""
    looks = {0: Upright(page.frame, 0, _best_look(page, network))}
    if not network.preparation.turns:
        return looks[0]
    shown = {0: looks[0].look.evidence}
    for quarters in turns_to_try(shown[0]):
        turned = turned_page(page, quarters)
        looks[quarters] = Upright(turned.frame, quarters, _best_look(turned, network))
        shown[quarters] = looks[quarters].look.evidence
    return looks[best_turn(shown)]


def _best_look(page: PageImage, network: LineNetwork) -> Look:
    """A look at a page as it is; or level, if it is askew and shows no less so."""
    wanted = network.preparation
    prepared = prepare(page, wanted)
    height, width = prepared.ink.shape
    as_it_is = Rectification(width, height)
    look = Look.at(prepared, prepared.ink, network, seen=as_it_is, window=as_it_is.whole)
    if not wanted.levels:
        return look
    shown, found = look.evidence, skew_angle(look.outlines, wanted.steepest) or 0.0
    if not shown.doubtful and abs(found) < SECOND_PASS_ANGLE:
        return look
    angle = tilt(look.ink, wanted.steepest)
    if abs(angle) < SECOND_PASS_ANGLE:
        return look
    level = _level_look(page, network, look, angle)
    return level if level.evidence.weight >= shown.weight else look


def _level_look(page: PageImage, network: LineNetwork, before: Look, angle: float) -> Look:
    """A look at the page turned by so many degrees, counter-clockwise, as large as a leaf is that lies level."""
    rough = attrs.evolve(before.seen, angle=angle)
    part = written_window(before.ink, rough)
    shown = round(part.width * page.width / rough.width), round(part.height * page.height / rough.height)
    size = working_size(*shown, network.preparation)
    scale = size[0] / part.width, size[1] / part.height
    seen = Rectification(round(rough.width * scale[0]), round(rough.height * scale[1]), angle)
    window = Window(round(part.left * scale[0]), round(part.top * scale[1]), *size)
    prepared = prepare(page, network.preparation, (seen.width, seen.height))
    light = prepared.light
    ground = int(np.median(np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])))
    return _rectified(prepared, network, seen, window, ground)


def _rectified(
    page: Prepared, network: LineNetwork, seen: Rectification, window: Window, ground: int
) -> Look:
    ink = adaptive_threshold(seen.warp(page.light, window, ground))
    return Look.at(page, ink, network, seen=seen, window=window, ground=ground)


def outlines_of(probabilities: npt.NDArray[np.float32], postprocess: Postprocess) -> list[Contour]:
    """The contours of what is more probable than the threshold."""
    return find_contours(
        probabilities > np.float32(postprocess.threshold),
        min_area_fraction=postprocess.min_area_fraction,
        min_width_fraction=postprocess.min_width_fraction,
        min_height_px=postprocess.min_height_px,
    )
