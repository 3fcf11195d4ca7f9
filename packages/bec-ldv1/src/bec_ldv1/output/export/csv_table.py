"""One row per line, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io

from bec_core import csv_cell
from bec_ldv1.artifacts.writing.outlines import box, pairs
from bec_ldv1.artifacts.writing.volume import ExportVolume
from bec_ldv1.output.export.pages import ExportPage

COLUMNS = (
    "volume", "image", "width", "height", "line", "confidence", "left", "top", "right", "bottom", "polygon", "baseline",
    "orientation", "quarter_turns", "title", "link",
)  # fmt: skip
"""``line`` counts from 1 on every page; ``polygon`` and ``baseline`` are ``x,y x,y``; ``orientation`` and
``quarter_turns`` see `Picture`; ``title`` and ``link`` are the work's, empty where not known."""


def to_csv(volume: ExportVolume[ExportPage]) -> bytes:
    """The volume's file (RFC 4180, UTF-8). Pages without lines have no row. No title can be taken for a formula."""
    known = (csv_cell(volume.work.title), csv_cell(volume.work.link))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for page in volume.pages:
        for number, line in enumerate(page.lines, start=1):
            head = (volume.name, page.image, page.width, page.height, number, f"{line.confidence:.4f}")
            place = (*box(line.polygon), pairs(line.polygon), pairs(line.baseline))
            writer.writerow((*head, *place, page.orientation, page.quarter_turns, *known))
    return out.getvalue().encode("utf-8", "replace")
