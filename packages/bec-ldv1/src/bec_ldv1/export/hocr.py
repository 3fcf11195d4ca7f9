"""hOCR 1.2: HTML that browsers show and Tesseract's tools read. The files are well-formed XML, too."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np

from bec_ldv1.artifacts.writing.xml_text import child, clean, to_bytes
from bec_ldv1.export.pages import ExportLine, ExportPage, box

_RESERVED = re.compile('[%";\x00-\x1f\x7f]')


def to_hocr(page: ExportPage, creator: str) -> bytes:
    """The page's file: an ``ocr_page`` with one ``ocr_carea`` that holds an empty ``ocr_line`` per line.

    ``baseline`` is the straight line closest to ours, as the format wants it: slope and offset from the lower left
    corner of the line's box. The curve is in ``poly``. There is no word, and so no place for our confidence.

    Args:
        page: what to write.
        creator: the program and its version.
    """
    root = ET.Element("html", {"xmlns": "http://www.w3.org/1999/xhtml"})
    head = child(root, "head")
    child(head, "title", page.image)
    child(head, "meta", charset="utf-8")
    child(head, "meta", name="ocr-system", content=creator)
    child(head, "meta", name="ocr-capabilities", content="ocr_page ocr_carea ocr_line ocrp_poly")
    child(head, "meta", name="ocr-number-of-pages", content=1)
    child(head, "meta", name="ocr-langs", content="unknown")
    child(head, "meta", name="ocr-scripts", content="unknown")
    title = f'image "{quoted(page.image)}"; bbox 0 0 {page.width} {page.height}; ppageno 0'
    element = child(child(root, "body"), "div", id="page_1", title=title)
    element.set("class", "ocr_page")
    if page.lines:
        whole = " ".join(map(str, box(*(line.polygon for line in page.lines))))
        area = child(element, "div", id="block_1", title=f"bbox {whole}")
        area.set("class", "ocr_carea")
        for number, line in enumerate(page.lines, start=1):
            # an empty element would be written <span/>, which HTML takes for an opening tag
            item = child(area, "span", " ", id=f"line_{number:03}", title=_title(line))
            item.set("class", "ocr_line")
    else:
        element.text = " "
    return to_bytes(root, doctype="<!DOCTYPE html>\n")


def quoted(name: str) -> str:
    """A name as hOCR can hold it between quotes; `urllib.parse.unquote` gives the name back.

    The format has no escapes. Quotes, semicolons (at which many readers split without looking at quotes),
    control characters and the per cent sign itself are written as in URLs.
    """
    return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", clean(name))


def _title(line: ExportLine) -> str:
    left, top, right, bottom = box(line.polygon)
    poly = " ".join(f"{x} {y}" for x, y in line.polygon.tolist())
    return f"bbox {left} {top} {right} {bottom}; baseline {_baseline(line, left, bottom)}; poly {poly}"


def _baseline(line: ExportLine, left: int, bottom: int) -> str:
    """Slope and offset of the least-squares line through the baseline; a line that runs down the page has slope 0."""
    x, y = (line.baseline - (left, bottom)).astype(np.float64).T
    if np.ptp(x) < np.ptp(y):
        return f"0 {y.mean():.1f}"
    across, down = x - x.mean(), y - y.mean()
    slope = (across @ down) / (across @ across)  # a level line has a slope too: 0
    offset = y.mean() - slope * x.mean()
    return f"{round(slope, 4) + 0.0:.4f} {round(offset, 1) + 0.0:.1f}"
