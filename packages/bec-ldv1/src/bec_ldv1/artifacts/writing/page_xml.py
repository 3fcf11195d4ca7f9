"""PAGE XML of 2019-07-15, without texts: the format of Transkribus, eScriptorium, kraken and OCR-D."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import datetime

from bec_core import Work
from bec_ldv1.artifacts.writing.outlines import OutlinedLine, OutlinedPage, box, pairs, text_angle
from bec_ldv1.artifacts.writing.xml_text import child
from bec_ldv1.page.flags import Flag

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def page_document(
    page: OutlinedPage, creator: str, created: datetime, work: Work
) -> tuple[ET.Element, ET.Element | None]:
    """A page's document, and its one text region, the lines' bounding box; None without lines.

    The region of a page whose text is turned has an ``orientation``.

    Args:
        page: what to write.
        creator: the program and its version.
        created: the time to state, in UTC.
        work: its title and link are ``MetadataItem``s.
    """
    root = ET.Element("PcGts", {"xmlns": NAMESPACE, "xmlns:xsi": _XSI})
    root.set("xsi:schemaLocation", f"{NAMESPACE} {NAMESPACE}/pagecontent.xsd")
    metadata = child(root, "Metadata")
    stamp = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, value in (("Creator", creator), ("Created", stamp), ("LastChange", stamp)):
        child(metadata, name, value)
    for name, known in (("title", work.title), ("link", work.link)):
        if known is not None:
            child(metadata, "MetadataItem", type="other", name=name, value=known)
    element = child(root, "Page", imageFilename=page.image, imageWidth=page.width, imageHeight=page.height)
    if Flag.BLANK in page.flags:
        element.set("type", "blank")
    if not page.lines:
        return root, None
    order = child(child(element, "ReadingOrder"), "OrderedGroup", id="order")
    child(order, "RegionRefIndexed", index=0, regionRef="text")
    left, top, right, bottom = box(*(line.polygon for line in page.lines))
    region = child(element, "TextRegion", id="text", type="paragraph")
    if angle := text_angle(page):
        # clockwise, what makes the text upright; the schema knows angles above -180 up to 180
        region.set("orientation", str(angle if angle <= 180 else angle - 360))
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    child(region, "Coords", points=pairs(corners))
    return root, region


def page_line(region: ET.Element, index: int, line: OutlinedLine, **coords: str) -> ET.Element:
    """A line in its region, counted from 0, without a text; ``coords`` are its outline's further attributes."""
    element = child(region, "TextLine", id=f"line_{index + 1:03}", custom=f"readingOrder {{index:{index};}}")
    child(element, "Coords", points=pairs(line.polygon), **coords)
    child(element, "Baseline", points=pairs(line.baseline))
    return element
