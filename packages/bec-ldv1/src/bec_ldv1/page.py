"""One page from bytes to record: the numerics in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.binarize import adaptive_threshold, binarize, linear_light
from bec_ldv1.contours import Contour, Points, bounding_boxes, find_contours, rounded, scale_points
from bec_ldv1.curvature import control_points
from bec_ldv1.decode import PageImage, Plane, decode
from bec_ldv1.orientation import stored_angle, to_stored
from bec_ldv1.records import PageRecord, check_range
from bec_ldv1.rectify import Rectification
from bec_ldv1.scale import shrink
from bec_ldv1.skew import skew_angle
from bec_ldv1.tiles import cut, join
from bec_ldv1.tps import ALPHA, ControlPoints, Spline

if TYPE_CHECKING:
    from bec_ldv1.engine import Engine
    from bec_ldv1.model.line_model import Postprocess

SECOND_PASS_ANGLE = 3.0
"""Rotations from this on, in degrees, are detected once more on the rotated page."""


@attrs.frozen(eq=False)
class Geometry:
    """Where the pixels of a detection plane lie.

    Attributes:
        page: the decoded page, upright and at its original size.
        seen: how the page was rectified before the plane was made; in detection pixels.
        recorded: how it is to be rectified by the reader of the record. The same, except that a page with a
            small rotation alone is not looked at again: its points are turned instead.
    """

    page: PageImage
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
    """What the last pass over a page saw, for whoever wants to look closer (whole lines, pictures).

    Attributes:
        probabilities: float32, detection height × width, of the rectified page.
        ink: what the network saw: uint8, the same height × width, 0 is ink and 255 paper.
        geometry: maps its pixels to the original image and to the record.
    """

    probabilities: npt.NDArray[np.float32]
    ink: Plane
    geometry: Geometry


FindOutlines = Callable[[npt.NDArray[np.float32], Plane], Sequence[Contour]]
"""Probabilities and ink (see `Detection`) to outlines in the same pixels."""


def detect_page(
    img_file_name: str,
    data: bytes,
    source_etag: str,
    engine: Engine,
    *,
    find_outlines: FindOutlines | None = None,
    observe: Callable[[Detection], None] | None = None,
) -> PageRecord:
    """Detect one page's lines.

    Args:
        img_file_name: as in the manifest.
        data: the image file.
        source_etag: of the page's object, without quotes.
        engine: has the model.
        find_outlines: what makes outlines of the planes; None is the contract's way.
        observe: is called with the last pass's planes, before the record is returned.

    Raises:
        PageProblem: the page can't be processed; `PageRecord.failed` makes its record.
    """
    find = find_outlines or partial(contract_outlines, postprocess=engine.model.postprocess)
    page = decode(data)
    small = shrink(page)
    ink = binarize(small, bilevel=page.bilevel)
    probabilities = _probabilities(ink, engine)
    outlines = find(probabilities, ink)

    as_it_is = Rectification(small.shape[1], small.shape[0])
    level, curve = measure(outlines, as_it_is)
    if curve is None and abs(level.angle) < SECOND_PASS_ANGLE:
        geometry = Geometry(page, seen=as_it_is, recorded=level)
    else:
        straight = level if curve is None else attrs.evolve(level, spline=Spline.fit(curve))
        geometry = Geometry(page, seen=straight, recorded=straight)
        ink = adaptive_threshold(straight.warp(linear_light(small)))
        probabilities = _probabilities(ink, engine)
        outlines = find(probabilities, ink)
    if observe is not None:
        observe(Detection(probabilities, ink, geometry))
    return _record(img_file_name, source_etag, geometry, curve, outlines)


def contract_outlines(
    probabilities: npt.NDArray[np.float32], ink: Plane, *, postprocess: Postprocess
) -> list[Contour]:
    """The contours of what is more probable than the threshold; the ink plays no part."""
    return find_contours(
        probabilities > np.float32(postprocess.threshold),
        min_area_fraction=postprocess.min_area_fraction,
        min_width_fraction=postprocess.min_width_fraction,
        min_height_px=postprocess.min_height_px,
    )


def measure(outlines: Sequence[Contour], page: Rectification) -> tuple[Rectification, ControlPoints | None]:
    """The rotation that levels a page's outlines, and the curve that remains on the rotated page."""
    level = attrs.evolve(page, angle=skew_angle(outlines) or 0.0)
    turned = rounded(level.to_rotated(outline.astype(np.float64)) for outline in outlines)
    return level, control_points(turned, page.width, page.height)


def _probabilities(ink: Plane, engine: Engine) -> npt.NDArray[np.float32]:
    height, width = ink.shape
    return join(engine.infer(cut(ink)), height, width)


def _record(
    img_file_name: str,
    source_etag: str,
    geometry: Geometry,
    curve: ControlPoints | None,
    outlines: Sequence[Contour],
) -> PageRecord:
    """The record, in original pixels of the stored raster."""
    contours = rounded(geometry.to_record(outline) for outline in outlines)
    angle = stored_angle(geometry.recorded.angle, geometry.page.orientation)
    original = geometry.at_original_size
    points = None if curve is None else ControlPoints(original(curve.inputs), original(curve.outputs))
    record = PageRecord(
        img_file_name,
        source_etag,
        rotation_angle=angle or None,
        tps_points=None if points is None else points.rows(),
        tps_alpha=None if points is None else ALPHA,
        contours=contours,
        contours_bboxes=bounding_boxes(contours),
    )
    check_range(record)
    return record
