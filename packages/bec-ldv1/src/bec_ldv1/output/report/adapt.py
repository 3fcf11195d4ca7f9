"""From a volume's artifacts to what the report shows: the one module here that knows the records.

The contract's contours are of the *rectified* page, in pixels of the stored raster: they are taken back to the page
as it was scanned. Whole lines are there already. Both are then turned upright as the page's picture is, shrunk to the
picture's pixels and thinned out.
"""

from __future__ import annotations

import attrs
import cv2
import numpy as np
import numpy.typing as npt

from bec_core import Page, ReportVolume, error_messages, records_of
from bec_ldv1.output.report.pictures import Picture, view_size
from bec_ldv1.output.report.view import Outline, PageTrouble, Pixels
from bec_ldv1.page.contours import Points
from bec_ldv1.page.orientation import to_upright, turned
from bec_ldv1.page.rectify import Rectification
from bec_ldv1.record.records import PageRecord, from_parquet

_PARQUET = ".parquet"
_THIN = 0.75  # px of the picture by which a thinned outline may differ


@attrs.frozen(eq=False)
class RecordedPage:
    """A page of the manifest with its record, None where the file has no row for it, and its error."""

    page: Page
    record: PageRecord | None
    error: PageTrouble | None

    @property
    def quarter_turns(self) -> int:
        """How many quarter turns counter-clockwise bring the page upright, after its EXIF orientation."""
        details = None if self.record is None else self.record.details
        return 0 if details is None else details.quarter_turns


def record_file(volume: ReportVolume) -> bytes:
    """The volume's Parquet file; raises whatever the volume does when it can't be read."""
    return volume.artifact(_PARQUET)


def recorded_pages(volume: ReportVolume, parquet: bytes) -> list[RecordedPage]:
    """The volume's pages in reading order with their records; ``parquet`` is its :func:`record_file`.

    Raises:
        ValueError: the Parquet file is damaged or holds no line-detection records.
    """
    records = from_parquet(parquet)
    pages = volume.volume.pages
    matched = records_of(pages, records, lambda record: record.img_file_name)
    failed = any(record is not None and not record.ok for record in matched)
    messages = error_messages(volume) if failed else {}
    return [
        RecordedPage(page, record, _trouble(page, record, messages))
        for page, record in zip(pages, matched, strict=True)
    ]


def _trouble(page: Page, record: PageRecord | None, messages: dict[str, str]) -> PageTrouble | None:
    """A page's error, None if it was processed."""
    if record is None:
        return PageTrouble("record", "MissingRecord", "the volume's records have no row for this page")
    if record.ok:
        return None
    message = messages.get(page.filename) or record.error_message or "no message was recorded"
    return PageTrouble(record.error_stage or "unknown", record.error_type or "unknown", message)


@attrs.frozen(eq=False)
class SourceOutline:
    """A line or segment on the page as it was scanned, in pixels of the stored raster, unrounded."""

    polygon: Points
    baseline: Points | None = None
    confidence: float | None = None


def source_outlines(record: PageRecord, size: tuple[int, int], *, whole_lines: bool) -> list[SourceOutline]:
    """What a record holds: its whole lines, else the contract's contours.

    ``size`` is the width and height of the stored raster.

    Raises:
        PageProblem: the recorded spline's points admit no spline.
    """
    if whole_lines:
        lines = () if record.details is None else record.details.lines
        return [
            SourceOutline(_points(line.polygon), _points(line.baseline), line.confidence)
            for line in lines
            if len(line.polygon)
        ]
    contours = [contour for contour in record.contours or () if len(contour)]
    if not contours:
        return []
    rectification = Rectification.recorded(*size, record.rotation_angle, record.tps_points, record.tps_alpha)
    return [SourceOutline(rectification.to_page(_points(contour))) for contour in contours]


def picture_outlines(record: PageRecord, picture: Picture, *, whole_lines: bool) -> list[Outline]:
    """The same in pixels of the page's larger picture, thinned out; see :func:`source_outlines`."""
    found = source_outlines(record, (picture.width, picture.height), whole_lines=whole_lines)
    return [in_picture(outline, picture) for outline in found]


def in_picture(outline: SourceOutline, picture: Picture) -> Outline:
    """An outline in pixels of the page's larger picture."""
    scale = _scale(picture)
    baseline = outline.baseline
    return Outline(
        _thinned(_upright(outline.polygon, picture) * scale),
        None if baseline is None else _rounded(_upright(baseline, picture) * scale),
        outline.confidence,
    )


def without_picture(record: PageRecord) -> Picture:
    """What stands in for the picture of a page that can't be shown, large enough for what was found on it."""
    if record.details is not None:
        width, height = record.details.width, record.details.height
    else:
        reach = [np.max(contour, axis=0) for contour in record.contours or () if len(contour)]
        width, height = (int(1.05 * side) + 1 for side in np.max(reach, axis=0)) if reach else (4, 3)
    return stand_in(record, width, height)


def stand_in(record: PageRecord | None, width: int, height: int) -> Picture:
    """The same for a page whose stored image is known to be so large."""
    details = None if record is None else record.details
    orientation = 1 if details is None else turned(details.orientation or 1, details.quarter_turns)
    shown = (height, width) if orientation >= 5 else (width, height)
    return Picture(width, height, orientation, *view_size(*shown), 0.0)


def _points(points: npt.NDArray[np.generic]) -> Points:
    """Any recorded points, n × 2."""
    return np.asarray(points, dtype=np.float64).reshape(-1, 2)


def _upright(points: Points, picture: Picture) -> Points:
    """Points of the stored raster on the upright page."""
    return to_upright(points, picture.orientation, *_upright_size(picture))


def _scale(picture: Picture) -> Points:
    """Picture px per px of the upright page, along x and y."""
    width, height = _upright_size(picture)
    return np.array([picture.view_width / width, picture.view_height / height])


def _upright_size(picture: Picture) -> tuple[int, int]:
    """Width and height of the upright page."""
    return (picture.height, picture.width) if picture.orientation >= 5 else (picture.width, picture.height)


def _thinned(points: Points) -> Pixels:
    """The outline at whole pixels with as few points as keep its form."""
    thin = cv2.approxPolyDP(_rounded(points).reshape(-1, 1, 2), _THIN, True)
    return np.asarray(thin, dtype=np.int32).reshape(-1, 2)


def _rounded(points: Points) -> Pixels:
    """Points at whole pixels."""
    return np.rint(points).astype(np.int32)
