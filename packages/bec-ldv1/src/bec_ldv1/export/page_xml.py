"""PAGE XML of 2019-07-15: the format of Transkribus, eScriptorium, kraken and OCR-D."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import datetime

import numpy as np

from bec_ldv1.artifacts.writing.xml_text import child, to_bytes
from bec_ldv1.details import Flag
from bec_ldv1.export.pages import ExportPage, box, pairs

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def to_page_xml(page: ExportPage, creator: str, created: datetime) -> bytes:
    """The page's file.

    One text region, the lines' bounding box, holds the lines in reading order; a page without lines has none.

    Args:
        page: what to write.
        creator: the program and its version.
        created: the time to state, in UTC.
    """
    root = ET.Element("PcGts", {"xmlns": NAMESPACE, "xmlns:xsi": _XSI})
    root.set("xsi:schemaLocation", f"{NAMESPACE} {NAMESPACE}/pagecontent.xsd")
    metadata = child(root, "Metadata")
    stamp = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, value in (("Creator", creator), ("Created", stamp), ("LastChange", stamp)):
        child(metadata, name, value)
    element = child(root, "Page", imageFilename=page.image, imageWidth=page.width, imageHeight=page.height)
    if Flag.BLANK in page.flags:
        element.set("type", "blank")
    if page.lines:
        order = child(child(element, "ReadingOrder"), "OrderedGroup", id="order")
        child(order, "RegionRefIndexed", index=0, regionRef="text")
        _region(element, page)
    return to_bytes(root)


def _region(parent: ET.Element, page: ExportPage) -> None:
    left, top, right, bottom = box(*(line.polygon for line in page.lines))
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int32)
    region = child(parent, "TextRegion", id="text", type="paragraph")
    child(region, "Coords", points=pairs(corners))
    for index, line in enumerate(page.lines):
        element = child(
            region, "TextLine", id=f"line_{index + 1:03}", custom=f"readingOrder {{index:{index};}}"
        )
        child(element, "Coords", points=pairs(line.polygon), conf=f"{line.confidence:.4f}")
        child(element, "Baseline", points=pairs(line.baseline))
