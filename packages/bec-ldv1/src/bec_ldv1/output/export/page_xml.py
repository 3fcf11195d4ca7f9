"""PAGE XML of 2019-07-15: the format of Transkribus, eScriptorium, kraken and OCR-D."""

from __future__ import annotations

from datetime import datetime

from bec_core import Work
from bec_ldv1.artifacts.writing.page_xml import page_document, page_line
from bec_ldv1.artifacts.writing.xml_text import to_bytes
from bec_ldv1.output.export.pages import ExportPage


def to_page_xml(page: ExportPage, creator: str, created: datetime, work: Work) -> bytes:
    """The page's file.

    One text region, the lines' bounding box, holds the lines in reading order; a page without lines has none.

    Args:
        page: what to write.
        creator: the program and its version.
        created: the time to state, in UTC.
        work: what a catalogue says of the page's work.
    """
    root, region = page_document(page, creator, created, work)
    if region is not None:
        for index, line in enumerate(page.lines):
            page_line(region, index, line, conf=f"{line.confidence:.4f}")
    return to_bytes(root)
