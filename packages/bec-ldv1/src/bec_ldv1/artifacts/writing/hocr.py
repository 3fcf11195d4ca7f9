"""hOCR 1.2, without words: HTML that browsers show and Tesseract's tools read. The files are well-formed XML, too."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from bec_core import Work
from bec_ldv1.artifacts.writing.outlines import OutlinedLine, OutlinedPage, Points, box, numbers
from bec_ldv1.artifacts.writing.xml_text import child, clean

DOCTYPE = "<!DOCTYPE html>\n"
_RESERVED = re.compile('[%";\x00-\x1f\x7f]')


def hocr_document(
    page: OutlinedPage, creator: str, capabilities: str, work: Work
) -> tuple[ET.Element, ET.Element | None]:
    """A page's document, an ``ocr_page``, and its one ``ocr_carea``, the lines' bounding box; None without lines.

    Args:
        page: what to write.
        creator: the program and its version.
        capabilities: the classes and properties that the file uses.
        work: its title and link are said in Dublin Core, as the format asks for what it has no fields for.
    """
    root = ET.Element("html", {"xmlns": "http://www.w3.org/1999/xhtml"})
    head = child(root, "head")
    child(head, "title", page.image)
    child(head, "meta", charset="utf-8")
    child(head, "meta", name="ocr-system", content=creator)
    child(head, "meta", name="ocr-capabilities", content=capabilities)
    child(head, "meta", name="ocr-number-of-pages", content=1)
    child(head, "meta", name="ocr-langs", content="unknown")
    child(head, "meta", name="ocr-scripts", content="unknown")
    known = [
        (name, said) for name, said in (("title", work.title), ("source", work.link)) if said is not None
    ]
    if known:
        child(head, "link", rel="schema.DC", href="http://purl.org/dc/elements/1.1/")
    for name, said in known:
        child(head, "meta", name=f"DC.{name}", content=said)
    title = f'image "{quoted(page.image)}"; bbox 0 0 {page.width} {page.height}; ppageno 0'
    element = child(child(root, "body"), "div", id="page_1", title=title)
    element.set("class", "ocr_page")
    if not page.lines:
        element.text = " "
        return root, None
    area = child(element, "div", id="block_1", title=_bbox(*(line.polygon for line in page.lines)))
    area.set("class", "ocr_carea")
    return root, area


def hocr_line(area: ET.Element, number: int, line: OutlinedLine, angle: int = 0) -> ET.Element:
    """An ``ocr_line`` in its area, without a text.

    ``baseline`` is the straight line closest to ours, as the format wants it: slope and offset from the lower left
    corner of the line's box; ``poly`` is the outline. A line of text that is turned has a ``textangle`` in place of
    the baseline, as Tesseract writes it: its baseline is no function of x.

    Args:
        area: where the line goes.
        number: from 1.
        line: what to write.
        angle: by which its text is turned, see `text_angle`.
    """
    left, _, _, bottom = box(line.polygon)
    course = f"textangle {angle}" if angle else f"baseline {_baseline(line.baseline, left, bottom)}"
    title = f"{_bbox(line.polygon)}; {course}; poly {numbers(line.polygon)}"
    item = child(area, "span", id=f"line_{number:03}", title=title)
    item.set("class", "ocr_line")
    return item


def hocr_word(item: ET.Element, number: int, line: OutlinedLine, text: str, confidence: float) -> None:
    """A line's one ``ocrx_word``: the whole text and its confidence, 0 to 1."""
    sure = f"{_bbox(line.polygon)}; x_wconf {round(100 * confidence)}"
    # an empty element would be written <span/>, which HTML takes for an opening tag
    word = child(item, "span", text or " ", id=f"word_{number:03}", title=sure)
    word.set("class", "ocrx_word")


def quoted(name: str) -> str:
    """A name as hOCR can hold it between quotes; `urllib.parse.unquote` gives the name back.

    The format has no escapes. Quotes, semicolons (at which many readers split without looking at quotes),
    control characters and the per cent sign itself are written as in URLs.
    """
    return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", clean(name))


def _bbox(*parts: Points) -> str:
    return "bbox " + " ".join(map(str, box(*parts)))


def _baseline(points: Points, left: int, bottom: int) -> str:
    """Slope and offset of the least-squares line through the baseline; a line that runs down the page has slope 0."""
    across, down = zip(*((float(x - left), float(y - bottom)) for x, y in points), strict=True)
    middle_x, middle_y = sum(across) / len(across), sum(down) / len(down)
    if max(across) - min(across) < max(down) - min(down):
        return f"0 {middle_y:.1f}"
    spread = sum((x - middle_x) ** 2 for x in across)
    slope = 0.0
    if spread:
        slope = sum((x - middle_x) * (y - middle_y) for x, y in zip(across, down, strict=True)) / spread
    offset = middle_y - slope * middle_x
    return f"{round(slope, 4) + 0.0:.4f} {round(offset, 1) + 0.0:.1f}"
