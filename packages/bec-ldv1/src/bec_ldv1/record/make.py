"""From what a page's last pass saw to its record."""

from __future__ import annotations

from bec_ldv1.mapping import mapped
from bec_ldv1.page.contours import bounding_boxes, rounded
from bec_ldv1.page.detect import Detection
from bec_ldv1.page.orientation import stored_angle
from bec_ldv1.page.tps import ALPHA, ControlPoints
from bec_ldv1.record.records import PageRecord, check_range
from bec_ldv1.record.whole_lines import page_details


def page_record(img_file_name: str, source_etag: str, seen: Detection) -> PageRecord:
    """The page's record, in original pixels of the stored raster.

    Args:
        img_file_name: as in the manifest.
        source_etag: of the page's object, without quotes.
        seen: what detection saw.

    Raises:
        PageProblem: a coordinate doesn't fit the records' columns.
    """
    geometry = seen.geometry
    contours = mapped(seen.outlines, lambda points: rounded(geometry.to_record(points)))
    angle = stored_angle(geometry.recorded.angle, geometry.page.orientation)
    original, curve = geometry.at_original_size, seen.curve
    points = None if curve is None else ControlPoints(original(curve.inputs), original(curve.outputs))
    record = PageRecord(
        img_file_name,
        source_etag,
        rotation_angle=angle or None,
        tps_points=None if points is None else points.rows(),
        tps_alpha=None if points is None else ALPHA,
        contours=contours,
        contours_bboxes=bounding_boxes(contours),
        details=page_details(seen),
    )
    check_range(record)
    return record
