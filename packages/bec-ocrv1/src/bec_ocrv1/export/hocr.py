"""hOCR 1.2: HTML that browsers show and Tesseract's tools read. The files are well-formed XML, too."""

from __future__ import annotations

from bec_core import Work
from bec_ldv1.artifacts.writing.hocr import DOCTYPE, hocr_document, hocr_line, hocr_word
from bec_ldv1.artifacts.writing.outlines import text_angle
from bec_ldv1.artifacts.writing.xml_text import to_bytes
from bec_ocrv1.export.pages import ExportPage


def to_hocr(page: ExportPage, creator: str, work: Work) -> bytes:
    """The page's file: an ``ocr_page`` with one ``ocr_carea`` that holds an ``ocr_line`` per line.

    Each line has one ``ocrx_word`` with the whole text and its confidence (``x_wconf``, 0 to 100): Tibetan has no words
    between spaces.

    Args:
        page: what to write.
        creator: the program and its version.
        work: what a catalogue says of the page's work.
    """
    capabilities = "ocr_page ocr_carea ocr_line ocrx_word ocrp_poly ocrp_wconf"
    root, area = hocr_document(page, creator, capabilities, work)
    if area is not None:
        angle = text_angle(page)
        for number, line in enumerate(page.lines, start=1):
            hocr_word(hocr_line(area, number, line, angle), number, line, line.text, line.confidence)
    return to_bytes(root, doctype=DOCTYPE)
