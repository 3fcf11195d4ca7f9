"""From a volume's artifacts to what the report shows: the one module here that knows the records.

Records hold outlines of the *rectified* page in pixels of the stored raster. They are taken back to the page as it
was scanned, turned upright as its picture is, shrunk to the picture's pixels and thinned out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs
import cv2
import numpy as np

from bec_core import Page, ReportVolume
from bec_ldv1.contours import Points
from bec_ldv1.orientation import to_stored
from bec_ldv1.records import PageRecord, from_parquet
from bec_ldv1.rectify import Rectification
from bec_ldv1.report.pictures import Picture
from bec_ldv1.report.view import Outline, PageTrouble, Pixels
from bec_ldv1.tps import ALPHA, ControlPoints, Spline

UNIT = "segment"
"""What the outlines are called: the contract's contours are pieces of lines."""

_PARQUET, _ERRORS = ".parquet", "-errors.jsonl"
_THIN = 0.75  # px of the picture by which a thinned outline may differ
_INVERSE_ORIENTATION = {6: 8, 8: 6}


@attrs.frozen(eq=False)
class RecordedPage:
    """A page of the manifest with its record, None where the file has no row for it, and its error."""

    page: Page
    record: PageRecord | None
    error: PageTrouble | None


def recorded_pages(volume: ReportVolume) -> list[RecordedPage]:
    """The volume's pages in reading order with their records.

    Raises:
        ValueError: the Parquet file is damaged or holds no line-detection records.
        Exception: whatever the volume raises when the artifact can't be read.
    """
    records = from_parquet(volume.artifact(_PARQUET))
    pages = volume.volume.pages
    aligned = [record.img_file_name for record in records] == [page.filename for page in pages]
    by_name = {record.img_file_name: record for record in records}
    matched = records if aligned else [by_name.get(page.filename) for page in pages]
    failed = any(record is not None and not record.ok for record in matched)
    messages = _messages(volume) if failed else {}
    return [
        RecordedPage(page, record, _trouble(page, record, messages))
        for page, record in zip(pages, matched, strict=True)
    ]


def _messages(volume: ReportVolume) -> dict[str, str]:
    """The failed pages' whole messages by file name: the Parquet file cuts them at 128 characters."""
    try:
        lines = volume.artifact(_ERRORS).decode("utf-8", "replace").splitlines()
    except Exception:  # noqa: BLE001 - an old or lost errors file costs only the ends of long messages
        return {}
    messages = {}
    for line in lines:
        try:
            entry = json.loads(line)
            messages[str(entry["img_filename"])] = str(entry["message"])
        except (ValueError, KeyError, TypeError):
            continue  # one bad line of the file says nothing about the others
    return messages


def _trouble(page: Page, record: PageRecord | None, messages: dict[str, str]) -> PageTrouble | None:
    """A page's error, None if it was processed."""
    if record is None:
        return PageTrouble("record", "MissingRecord", "the volume's records have no row for this page")
    if record.ok:
        return None
    message = messages.get(page.filename) or record.error_message or "no message was recorded"
    return PageTrouble(record.error_stage or "unknown", record.error_type or "unknown", message)


def picture_outlines(record: PageRecord, picture: Picture) -> list[Outline]:
    """The record's outlines in pixels of the page's larger picture, on the page as it was scanned."""
    contours = record.contours or ()
    if not contours:
        return []
    rectification = _rectification(record, picture.width, picture.height)
    scale = _scale(picture)
    outlines = []
    for contour in contours:
        points = np.asarray(contour, dtype=np.float64).reshape(-1, 2)
        if len(points):
            on_page = rectification.to_page(points)
            outlines.append(Outline(_thinned(_upright(on_page, picture) * scale)))
    return outlines


def unplaced_outlines(record: PageRecord) -> tuple[list[Outline], tuple[int, int]]:
    """Outlines for a page whose picture could not be made, as recorded, and the size that holds them."""
    contours = [np.asarray(contour).reshape(-1, 2) for contour in record.contours or () if len(contour)]
    if not contours:
        return [], (4, 3)
    outlines = [Outline(_thinned(contour.astype(np.float64))) for contour in contours]
    width, height = np.max(np.vstack(contours), axis=0)
    return outlines, (max(1, int(width * 1.05)), max(1, int(height * 1.05)))


def coverage(outlines: Sequence[Outline], width: int, height: int) -> float:
    """The share of a picture that lies inside its outlines, 0 to 1; overlaps count once."""
    mask = np.zeros((max(1, height // 4), max(1, width // 4)), np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [outline.points // 4], 1)
    return float(np.mean(mask))


def _rectification(record: PageRecord, width: int, height: int) -> Rectification:
    """What was done to the page, in pixels of the stored raster."""
    spline = None
    if record.tps_points is not None:
        alpha = ALPHA if record.tps_alpha is None else record.tps_alpha
        spline = Spline.fit(ControlPoints.from_rows(record.tps_points), alpha)
    return Rectification(width, height, record.rotation_angle or 0.0, spline)


def _upright(points: Points, picture: Picture) -> Points:
    """Points of the stored raster on the upright page: the way there is the way back of another orientation."""
    orientation = _INVERSE_ORIENTATION.get(picture.orientation, picture.orientation)
    return to_stored(points, orientation, picture.width, picture.height)


def _scale(picture: Picture) -> Points:
    """Picture px per px of the upright page, along x and y."""
    turned = picture.orientation >= 5
    width, height = (picture.height, picture.width) if turned else (picture.width, picture.height)
    return np.array([picture.view_width / width, picture.view_height / height])


def _thinned(points: Points) -> Pixels:
    """The outline at whole pixels with as few points as keep its form."""
    whole = np.rint(points).astype(np.int32)
    return np.asarray(cv2.approxPolyDP(whole.reshape(-1, 1, 2), _THIN, True), np.int32).reshape(-1, 2)
