"""A sample page with its known lines, as if it had been scanned lying on a side or on its head."""

from __future__ import annotations

import attrs
import numpy as np

from bec_ldv1.lines import Line
from bec_ldv1.page.contours import bounding_boxes
from bec_ldv1.page.orientation import stored_angle, to_stored, turned
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord
from support.drawn_lines import stored
from support.sample_pages import sample

WAYS = [(0, orientation) for orientation in range(1, 9)] + [
    (quarter_turns, orientation) for quarter_turns in (1, 2, 3) for orientation in (1, 5, 6)
]
"""Every EXIF orientation, and every way to lie on the glass with none, a turning and a mirroring one."""


def upright_record(name: str) -> tuple[np.ndarray, PageRecord]:
    """A sample's grey plane, and a record of it: each true line is a line and a contour."""
    plane, centres, heights = sample(name)
    height, width = plane.shape
    lines, contours = [], []
    for centre, body in zip(centres, heights, strict=True):
        half = np.array([0, body])
        polygon = np.vstack((centre - half, (centre + half)[::-1])).clip(0, (width - 1, height - 1))
        lines.append(Line(polygon.astype(np.float32), centre.astype(np.float32), 0.9))
        contours.append(np.rint(np.vstack((centre - half / 2, (centre + half / 2)[::-1]))).astype(np.int32))
    details = PageDetails(width, height, 0.1, lines, orientation=1)
    boxes = bounding_boxes(contours)
    return plane, PageRecord(
        "1.png", "ff", rotation_angle=0.5, contours=contours, contours_bboxes=boxes, details=details
    )


def scanned(plane: np.ndarray, quarter_turns: int, orientation: int = 1) -> bytes:
    """The image file of an upright plane that so many quarter turns counter-clockwise bring upright again."""
    return stored(np.rot90(plane, -quarter_turns), orientation)


def scanned_record(record: PageRecord, quarter_turns: int, orientation: int = 1) -> PageRecord:
    """What is recorded of that file."""
    details = record.details
    assert details is not None
    assert record.contours is not None
    way = turned(orientation, quarter_turns)
    sides = (details.width, details.height)

    def there(points: np.ndarray) -> np.ndarray:
        return to_stored(points.astype(np.float64), way, *sides)

    width, height = sides[::-1] if way >= 5 else sides
    contours = [there(contour).astype(np.int32) for contour in record.contours]
    return attrs.evolve(
        record,
        rotation_angle=stored_angle(record.rotation_angle or 0.0, way),
        contours=contours,
        contours_bboxes=bounding_boxes(contours),
        details=attrs.evolve(
            details,
            width=width,
            height=height,
            lines=[
                Line(
                    there(line.polygon).astype(np.float32),
                    there(line.baseline).astype(np.float32),
                    line.confidence,
                )
                for line in details.lines
            ],
            quarter_turns=quarter_turns,
            orientation=orientation,
        ),
    )
