"""ALTO 4.2: the format of libraries' newspaper programmes, also read by eScriptorium and kraken."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from bec_ldv1.artifacts.writing.xml_text import child, to_bytes
from bec_ldv1.export.pages import ExportPage, Pixels, box

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def to_alto(page: ExportPage, software: str, version: str) -> bytes:
    """The page's file.

    One text block, the lines' bounding box, holds the lines in reading order. The schema asks for a ``String`` in
    every line: it is empty, and as large as the line.

    Args:
        page: what to write.
        software: the program that found the lines.
        version: the program's.
    """
    root = ET.Element("alto", {"xmlns": NAMESPACE, "xmlns:xsi": _XSI, "SCHEMAVERSION": "4.2"})
    root.set("xsi:schemaLocation", f"{NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-2.xsd")
    description = child(root, "Description")
    child(description, "MeasurementUnit", "pixel")
    child(child(description, "sourceImageInformation"), "fileName", page.image)
    step = child(child(description, "Processing", ID="lines"), "processingSoftware")
    child(step, "softwareName", software)
    child(step, "softwareVersion", version)
    element = child(
        child(root, "Layout"), "Page", ID="page", PHYSICAL_IMG_NR=1, WIDTH=page.width, HEIGHT=page.height
    )
    space = child(element, "PrintSpace", **_place(0, 0, page.width, page.height))
    if page.lines:
        whole = box(*(line.polygon for line in page.lines))
        block = child(space, "TextBlock", ID="text", **_place(*whole))
        for number, line in enumerate(page.lines, start=1):
            place = _place(*box(line.polygon))
            item = child(block, "TextLine", ID=f"line_{number:03}", **place, BASELINE=_points(line.baseline))
            child(child(item, "Shape"), "Polygon", POINTS=_points(line.polygon))
            child(item, "String", CONTENT="", **place)
    return to_bytes(root)


def _place(left: int, top: int, right: int, bottom: int) -> dict[str, int]:
    return {"HPOS": left, "VPOS": top, "WIDTH": right - left, "HEIGHT": bottom - top}


def _points(points: Pixels) -> str:
    """``x y x y``: the schema leaves open how points are written, and this is the form that eScriptorium writes."""
    return " ".join(f"{x} {y}" for x, y in points.tolist())
