"""hOCR 1.2: HTML that browsers show and Tesseract's tools read. The files are well-formed XML, too."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from bec_ldv1.artifacts.writing.xml_text import child, clean, to_bytes
from bec_ocrv1.export.pages import ExportLine, ExportPage, Pixels, box

_RESERVED = re.compile('[%";\x00-\x1f\x7f]')


def to_hocr(page: ExportPage, creator: str) -> bytes:
    """The page's file: an ``ocr_page`` with one ``ocr_carea`` that holds an ``ocr_line`` per line.

    Each line has one ``ocrx_word`` with the whole text and its confidence (``x_wconf``, 0 to 100): Tibetan has no words
    between spaces. ``baseline`` is the straight line closest to ours, as the format wants it: slope and offset from the
    lower left corner of the line's box; ``poly`` is the outline.

    Args:
        page: what to write.
        creator: the program and its version.
    """
    root = ET.Element("html", {"xmlns": "http://www.w3.org/1999/xhtml"})
    head = child(root, "head")
    child(head, "title", page.image)
    child(head, "meta", charset="utf-8")
    child(head, "meta", name="ocr-system", content=creator)
    child(
        head,
        "meta",
        name="ocr-capabilities",
        content="ocr_page ocr_carea ocr_line ocrx_word ocrp_poly ocrp_wconf",
    )
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
            _line(area, number, line)
    else:
        element.text = " "
    return to_bytes(root, doctype="<!DOCTYPE html>\n")


def quoted(name: str) -> str:
    """A name as hOCR can hold it between quotes; `urllib.parse.unquote` gives the name back.

    The format has no escapes. Quotes, semicolons (at which many readers split without looking at quotes),
    control characters and the per cent sign itself are written as in URLs.
    """
    return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", clean(name))


def _line(area: ET.Element, number: int, line: ExportLine) -> None:
    left, top, right, bottom = box(line.polygon)
    place = f"bbox {left} {top} {right} {bottom}"
    poly = " ".join(f"{x} {y}" for x, y in line.polygon)
    baseline = _baseline(line.baseline, left, bottom)
    item = child(area, "span", id=f"line_{number:03}", title=f"{place}; baseline {baseline}; poly {poly}")
    item.set("class", "ocr_line")
    sure = f"{place}; x_wconf {round(100 * line.confidence)}"
    # an empty element would be written <span/>, which HTML takes for an opening tag
    word = child(item, "span", line.text or " ", id=f"word_{number:03}", title=sure)
    word.set("class", "ocrx_word")


def _baseline(points: Pixels, left: int, bottom: int) -> str:
    """Slope and offset of the least-squares line through the baseline; a line that runs down the page has slope 0."""
    across, down = [float(x - left) for x, _ in points], [float(y - bottom) for _, y in points]
    middle_x, middle_y = sum(across) / len(points), sum(down) / len(points)
    if max(across) - min(across) < max(down) - min(down):
        return f"0 {middle_y:.1f}"
    spread = sum((x - middle_x) ** 2 for x in across)
    slope = 0.0
    if spread:
        slope = sum((x - middle_x) * (y - middle_y) for x, y in zip(across, down, strict=True)) / spread
    offset = middle_y - slope * middle_x
    return f"{round(slope, 4) + 0.0:.4f} {round(offset, 1) + 0.0:.1f}"
