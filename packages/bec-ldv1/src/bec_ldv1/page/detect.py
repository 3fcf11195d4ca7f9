"""One page from bytes to outlines: the numerics in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.binarize import adaptive_threshold
from bec_ldv1.page.contours import Contour, Points, Postprocess, find_contours, rounded, scale_points
from bec_ldv1.page.curvature import control_points
from bec_ldv1.page.decode import PageFrame, PageImage, Plane, decode
from bec_ldv1.page.direction import Evidence, best_turn, evidence, turns_to_try
from bec_ldv1.page.orientation import to_stored, turned_page
from bec_ldv1.page.prepare import Preparation, Prepared, prepare
from bec_ldv1.page.rectify import Rectification
from bec_ldv1.page.skew import skew_angle
from bec_ldv1.page.tiles import cut, join
from bec_ldv1.page.tps import ControlPoints, Spline

SECOND_PASS_ANGLE = 3.0
"""Rotations from this on, in degrees, are detected once more on the rotated page."""


@attrs.frozen(eq=False)
class Geometry:
    """Where the pixels of a detection plane lie.

    Attributes:
        page: the upright page's size and orientation. Not its pixels: they may be many, and nobody needs them any more.
        seen: how the page was rectified before the plane was made; in detection pixels.
        recorded: how it is to be rectified by the reader of the record. The same, except that a page with a
            small rotation alone is not looked at again: its points are turned instead.
    """

    page: PageFrame
    seen: Rectification
    recorded: Rectification

    @property
    def scale(self) -> tuple[float, float]:
        """Original px per detection px, along x and y."""
        return self.page.width / self.seen.width, self.page.height / self.seen.height

    def to_record(self, points: npt.NDArray[np.number]) -> Points:
        """Points x, y of the plane in the records' pixels: original size, stored raster, rectified."""
        precise = points.astype(np.float64)
        return self.at_original_size(
            precise if self.seen is self.recorded else self.recorded.to_rotated(precise)
        )

    def to_source(self, points: npt.NDArray[np.number]) -> Points:
        """Points x, y of the plane on the image as it is stored: what to draw on the scan."""
        return self.at_original_size(self.seen.to_page(points.astype(np.float64)))

    def at_original_size(self, points: Points) -> Points:
        """Detection pixels of a rectified page as original pixels in the stored raster, still rectified."""
        enlarged = scale_points(points, self.scale)
        return to_stored(enlarged, self.page.orientation, self.page.width, self.page.height)


@attrs.frozen(eq=False)
class Detection:
    """What the last pass over a page saw; `bec_ldv1.record` makes the page's record of it.

    Attributes:
        probabilities: float32, detection height × width, of the rectified page.
        ink: what the network saw: uint8, the same height × width, 0 is ink and 255 paper.
        geometry: maps its pixels to the original image and to the record.
        outlines: of what is line, in the same pixels: the contract's pieces.
        curve: the spline's control points in detection pixels; None where the lines are straight.
        postprocess: what the network's probabilities need to become lines.
        quarter_turns: how many, counter-clockwise, brought the page upright after its EXIF orientation; 0 to 3.
        faint: binarisation lost most of the page's strokes.
    """

    probabilities: npt.NDArray[np.float32]
    ink: Plane
    geometry: Geometry
    outlines: Sequence[Contour]
    curve: ControlPoints | None
    postprocess: Postprocess
    quarter_turns: int = 0
    faint: bool = False


class LineNetwork(Protocol):
    """What detection needs of a network; `bec_ldv1.network.engine.Engine` is one."""

    @property
    def postprocess(self) -> Postprocess:
        """What makes outlines of its probabilities."""

    @property
    def preparation(self) -> Preparation:
        """What it wants done to pages beyond the contract's numerics."""

    def infer(self, tiles: Plane) -> npt.NDArray[np.float32]:
        """The probability of line of each pixel: uint8 n × 512 × 512 (255 is paper) to float32 of that shape."""


def detect_page(data: bytes, network: LineNetwork) -> Detection:
    """Detect one page's lines.

    Args:
        data: the image file.
        network: tells the probability of line, and what it wants done to pages.

    Raises:
        PageProblem: the page can't be processed.
    """
    look = _upright_look(decode(data), network)
    ink, probabilities = look.prepared.ink, look.probabilities
    outlines = outlines_of(probabilities, network.postprocess)

    as_it_is = Rectification(ink.shape[1], ink.shape[0])
    level, curve = measure(outlines, as_it_is, network.preparation.steepest)
    if curve is None and abs(level.angle) < SECOND_PASS_ANGLE:
        geometry = Geometry(look.page, seen=as_it_is, recorded=level)
    else:
        straight = level if curve is None else attrs.evolve(level, spline=Spline.fit(curve))
        geometry = Geometry(look.page, seen=straight, recorded=straight)
        ink = adaptive_threshold(straight.warp(look.prepared.light))
        probabilities = _probabilities(ink, network)
        outlines = outlines_of(probabilities, network.postprocess)
    return Detection(
        probabilities,
        ink,
        geometry,
        outlines,
        curve,
        network.postprocess,
        quarter_turns=look.quarters,
        faint=look.prepared.faint,
    )


@attrs.frozen(eq=False)
class _Look:
    """A first pass over a page in one direction, and how it was turned for it."""

    page: PageFrame
    quarters: int
    prepared: Prepared
    probabilities: npt.NDArray[np.float32]


def _look(page: PageImage, network: LineNetwork, quarters: int = 0) -> _Look:
    shown = turned_page(page, quarters)
    prepared = prepare(shown, network.preparation)
    return _Look(shown.frame, quarters, prepared, _probabilities(prepared.ink, network))


def _upright_look(page: PageImage, network: LineNetwork) -> _Look:
    """The look at a page in the direction in which it shows most."""
    looks = {0: _look(page, network)}
    if not network.preparation.turns:
        return looks[0]
    seen = {0: _evidence(looks[0])}
    for quarters in turns_to_try(seen[0]):
        looks[quarters] = _look(page, network, quarters)
        seen[quarters] = _evidence(looks[quarters])
    return looks[best_turn(seen)]


def _evidence(look: _Look) -> Evidence:
    return evidence(look.probabilities, look.prepared.ink)


def outlines_of(probabilities: npt.NDArray[np.float32], postprocess: Postprocess) -> list[Contour]:
    """The contours of what is more probable than the threshold."""
    return find_contours(
        probabilities > np.float32(postprocess.threshold),
        min_area_fraction=postprocess.min_area_fraction,
        min_width_fraction=postprocess.min_width_fraction,
        min_height_px=postprocess.min_height_px,
    )


def measure(
    outlines: Sequence[Contour], page: Rectification, steepest: float
) -> tuple[Rectification, ControlPoints | None]:
    """The rotation that levels a page's outlines, and the curve that remains on the rotated page."""
    level = attrs.evolve(page, angle=skew_angle(outlines, steepest) or 0.0)
    turned = rounded(level.to_rotated(outline.astype(np.float64)) for outline in outlines)
    return level, control_points(turned, page.width, page.height)


def _probabilities(ink: Plane, network: LineNetwork) -> npt.NDArray[np.float32]:
    height, width = ink.shape
    return join(network.infer(cut(ink)), height, width)
