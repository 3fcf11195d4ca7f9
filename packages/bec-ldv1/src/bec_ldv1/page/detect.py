"""One page from bytes to outlines: the numerics in their order."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.mapping import mapped
from bec_ldv1.page.contours import Contour, Points, Postprocess, rounded, scale_points
from bec_ldv1.page.curvature import control_points
from bec_ldv1.page.decode import PageFrame, Plane, decode
from bec_ldv1.page.look import SECOND_PASS_ANGLE, LineNetwork, upright_look
from bec_ldv1.page.orientation import to_stored
from bec_ldv1.page.rectify import Rectification, Window
from bec_ldv1.page.skew import skew_angle
from bec_ldv1.page.tps import ControlPoints, Spline


@attrs.frozen(eq=False)
class Geometry:
    """Where the pixels of a detection plane lie.

    Attributes:
        page: the upright page's size and orientation. Not its pixels: they may be many, and nobody needs them any more.
        seen: how the page was rectified before the plane was made; in detection pixels.
        recorded: how it is to be rectified by the reader of the record. The same, except that a page with a
            small rotation alone is not looked at again: its points are turned instead.
        window: the part of the rectified page that the plane shows.
    """

    page: PageFrame
    seen: Rectification
    recorded: Rectification
    window: Window

    @property
    def scale(self) -> tuple[float, float]:
        """Original px per detection px, along x and y."""
        return self.page.width / self.seen.width, self.page.height / self.seen.height

    def to_record(self, points: npt.NDArray[np.number]) -> Points:
        """Points x, y of the plane in the records' pixels: original size, stored raster, rectified."""
        whole = self.window.to_page(points)
        if self.seen is not self.recorded:
            whole = self.recorded.to_rotated(self.seen.to_page(whole))
        return self.at_original_size(whole)

    def to_source(self, points: npt.NDArray[np.number]) -> Points:
        """Points x, y of the plane on the image as it is stored: what to draw on the scan."""
        return self.at_original_size(self.seen.to_page(self.window.to_page(points)))

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
        pieces: box and area of the connected pieces of that ink, see `ink_pieces`.
        geometry: maps its pixels to the original image and to the record.
        outlines: of what is line, in the same pixels: the contract's pieces.
        curve: the spline's control points in detection pixels; None where the lines are straight.
        postprocess: what the network's probabilities need to become lines.
        quarter_turns: how many, counter-clockwise, brought the page upright after its EXIF orientation; 0 to 3.
        faint: binarisation lost most of the page's strokes.
    """

    probabilities: npt.NDArray[np.float32]
    ink: Plane
    pieces: npt.NDArray[np.int32]
    geometry: Geometry
    outlines: Sequence[Contour]
    curve: ControlPoints | None
    postprocess: Postprocess
    quarter_turns: int = 0
    faint: bool = False


def detect_page(data: bytes, network: LineNetwork) -> Detection:
    """Detect one page's lines.

    Args:
        data: the image file.
        network: tells the probability of line, and what it wants done to pages.

    Raises:
        PageProblem: the page can't be processed.
    """
    upright = upright_look(decode(data), network)
    look = upright.look
    level, curve = measure(look.outlines, look.seen, look.window, network.preparation.steepest)
    recorded = level
    if curve is not None or abs(level.angle - look.seen.angle) >= SECOND_PASS_ANGLE:
        recorded = level if curve is None else attrs.evolve(level, spline=Spline.fit(curve))
        look = look.rectified(recorded, network)
    return Detection(
        look.probabilities,
        look.ink,
        look.pieces,
        Geometry(upright.page, look.seen, recorded, look.window),
        look.outlines,
        curve,
        network.postprocess,
        quarter_turns=upright.quarters,
        faint=look.page.faint,
    )


def measure(
    outlines: Sequence[Contour], seen: Rectification, window: Window, steepest: float
) -> tuple[Rectification, ControlPoints | None]:
    """The rotation that levels a page's outlines, and the curve that remains on the rotated page.

    The outlines are in the pixels of a window of the page as it was seen.
    """
    level = attrs.evolve(seen, angle=seen.angle + (skew_angle(outlines, steepest) or 0.0))
    turned = mapped(outlines, lambda points: rounded(level.to_rotated(seen.to_page(window.to_page(points)))))
    return level, control_points(turned, level.width, level.height)
