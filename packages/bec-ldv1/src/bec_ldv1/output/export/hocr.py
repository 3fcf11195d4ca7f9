"""hOCR 1.2: HTML that browsers show and Tesseract's tools read. The files are well-formed XML, too."""

from __future__ import annotations

from bec_core import Work
from bec_ldv1.artifacts.writing.hocr import DOCTYPE, hocr_document, hocr_line
from bec_ldv1.artifacts.writing.outlines import text_angle
from bec_ldv1.artifacts.writing.xml_text import to_bytes
from bec_ldv1.output.export.pages import ExportPage


def to_hocr(page: ExportPage, creator: str, work: Work) -> bytes:
    """The page's file: an ``ocr_page`` with one ``ocr_carea`` that holds an empty ``ocr_line`` per line.

    The line's curve is in ``poly``. There is no word, and so no place for our confidence.

    Args:
        page: what to write.
        creator: the program and its version.
        work: what a catalogue says of the page's work.
    """
    root, area = hocr_document(page, creator, "ocr_page ocr_carea ocr_line ocrp_poly", work)
    if area is not None:
        angle = text_angle(page)
        for number, line in enumerate(page.lines, start=1):
            # an empty element would be written <span/>, which HTML takes for an opening tag
            hocr_line(area, number, line, angle).text = " "
    return to_bytes(root, doctype=DOCTYPE)
