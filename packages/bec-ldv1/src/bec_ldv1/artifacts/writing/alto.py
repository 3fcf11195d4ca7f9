"""ALTO 4.2, without what a line's ``String`` holds: the format of libraries' newspaper programmes."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from bec_ldv1.artifacts.writing.outlines import OutlinedLine, OutlinedPage, box, numbers, text_angle
from bec_ldv1.artifacts.writing.xml_text import child

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def alto_document(
    page: OutlinedPage, step: str, software: str, version: str
) -> tuple[ET.Element, ET.Element | None]:
    """A page's document, and its one text block, the lines' bounding box; None without lines.

    The block of a page whose text is turned has a ``ROTATION``: of the text, counter-clockwise.

    Args:
        page: what to write.
        step: what was done, as an XML id.
        software: the program that did it.
        version: the program's.
    """
    root = ET.Element("alto", {"xmlns": NAMESPACE, "xmlns:xsi": _XSI, "SCHEMAVERSION": "4.2"})
    root.set("xsi:schemaLocation", f"{NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-2.xsd")
    description = child(root, "Description")
    child(description, "MeasurementUnit", "pixel")
    child(child(description, "sourceImageInformation"), "fileName", page.image)
    processing = child(child(description, "Processing", ID=step), "processingSoftware")
    child(processing, "softwareName", software)
    child(processing, "softwareVersion", version)
    element = child(
        child(root, "Layout"), "Page", ID="page", PHYSICAL_IMG_NR=1, WIDTH=page.width, HEIGHT=page.height
    )
    space = child(element, "PrintSpace", **_place(0, 0, page.width, page.height))
    if not page.lines:
        return root, None
    whole = box(*(line.polygon for line in page.lines))
    block = child(space, "TextBlock", ID="text", **_place(*whole))
    if angle := text_angle(page):
        block.set("ROTATION", str(angle))
    return root, block


def alto_line(block: ET.Element, number: int, line: OutlinedLine, **string: str) -> None:
    """A line in its block, with one ``String`` of these attributes, as large as the line.

    The schema leaves open how points are written; this is the form that eScriptorium writes.
    """
    place = _place(*box(line.polygon))
    item = child(block, "TextLine", ID=f"line_{number:03}", **place, BASELINE=numbers(line.baseline))
    child(child(item, "Shape"), "Polygon", POINTS=numbers(line.polygon))
    child(item, "String", **string, **place)


def _place(left: int, top: int, right: int, bottom: int) -> dict[str, int]:
    return {"HPOS": left, "VPOS": top, "WIDTH": right - left, "HEIGHT": bottom - top}
