"""Read line regions: PAGE XML, ALTO, and the JSON lines forms ``ground-truth.jsonl`` and ``lines.jsonl``."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from bec_ldv1.evaluation.pages import PageLines, Polygon, TruthError, box_polygon, polygon_of
from bec_ldv1.evaluation.xml_safe import parse_xml

PAGE_MARGIN_TYPES = frozenset(
    {"header", "footer", "page-number", "marginalia", "signature-mark", "catch-word", "footnote"}
)
"""PAGE's text region types whose lines are not lines of the text: detections there are ignored."""

ALTO_MARGINS = frozenset({"TopMargin", "LeftMargin", "RightMargin", "BottomMargin"})
"""ALTO's page parts whose lines are not lines of the text."""


def read_pages(path: Path) -> list[PageLines]:
    """The pages of a ``.jsonl`` file, a PAGE or ALTO ``.xml`` file, or a folder of such XML files.

    Raises ``TruthError`` naming the file (and line) and what is wrong with it.
    """
    if path.is_dir():
        files = sorted(p for p in path.rglob("*.xml") if p.is_file())
        if not files:
            raise TruthError(f"{path} holds no .xml file; give a folder of PAGE or ALTO files, or a .jsonl")
        return [page for file in files for page in read_xml(file)]
    if not path.is_file():
        raise TruthError(f"{path} does not exist")
    return read_xml(path) if path.suffix.lower() == ".xml" else read_jsonl(path)


def read_jsonl(path: Path) -> list[PageLines]:
    """The pages of a JSON lines file.

    A row has ``image`` and one of ``lines`` (each a box ``[x0, y0, x1, y1]`` or a ``{"polygon": …}``),
    ``boxes``, ``polygons`` or ``line_count``; ``size`` ``[w, h]``, ``margin`` and ``script`` are optional.
    """
    try:
        rows = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise TruthError(f"{path} is not a text file in UTF-8: {error}") from error
    pages = []
    for number, text in enumerate(rows, start=1):
        if not text.strip():
            continue
        try:
            pages.append(_page_of_row(json.loads(text)))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            reason = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
            raise TruthError(f"{path}, line {number}: {reason}") from error
    return pages


def read_xml(path: Path) -> list[PageLines]:
    """The pages of a PAGE XML or ALTO file (PAGE holds one, ALTO may hold several)."""
    try:
        root = parse_xml(path.read_bytes())
        if root.tag == "PcGts":
            return _read_page_xml(root, path)
        if root.tag == "alto":
            return _read_alto(root, path)
        raise ValueError(f"its root element is <{root.tag}>, neither PAGE's <PcGts> nor <alto>")
    except ValueError as error:
        raise TruthError(f"{path}: {error}") from error


def _page_of_row(row: object) -> PageLines:
    if not isinstance(row, Mapping):
        raise ValueError(f"a row must be a JSON object, not {type(row).__name__}")
    forms = [key for key in ("lines", "boxes", "polygons", "line_count") if key in row]
    if not forms:
        raise ValueError("it has none of lines, boxes, polygons, line_count")
    count = row["line_count"] if forms == ["line_count"] else None
    if count is not None and not (type(count) is int and count >= 0):
        raise ValueError(f"line_count must be a whole number, not {count!r}")
    size = row.get("size")
    return PageLines(
        image=str(row["image"]),
        size=None if size is None else (int(size[0]), int(size[1])),
        regions=tuple(_shape(s) for s in row[forms[0]]) if count is None else (),
        ignore=tuple(_shape(s) for s in row.get("margin", ())),
        script=str(row.get("script", "")),
        line_count=count,
    )


def _shape(value: object) -> Polygon:
    """A box, a polygon or ``{"polygon": …}``."""
    if isinstance(value, Mapping):
        return polygon_of(value["polygon"])
    if isinstance(value, list) and len(value) == 4 and not isinstance(value[0], list):
        return box_polygon(*(float(v) for v in value))
    return polygon_of(value)


def _points(text: str) -> Polygon:
    """PAGE's ``x,y x,y`` and ALTO's ``x y x y`` alike."""
    numbers = [float(n) for n in text.replace(",", " ").split()]
    if len(numbers) % 2:
        raise ValueError(f"an odd number of coordinates in {text[:60]!r}")
    return polygon_of(list(zip(numbers[::2], numbers[1::2], strict=True)))


def _number(element: ET.Element, name: str) -> float:
    value = element.get(name)
    if value is None:
        raise ValueError(f"<{element.tag}> has no attribute {name}")
    return float(value)


def _size(page: ET.Element, width: str, height: str) -> tuple[int, int] | None:
    if page.get(width) is None or page.get(height) is None:
        return None
    return round(_number(page, width)), round(_number(page, height))


def _read_page_xml(root: ET.Element, path: Path) -> list[PageLines]:
    """PAGE 2010 to 2019; region outlines are not read, only text lines'."""
    page = root.find("Page")
    if page is None:
        raise ValueError("it has no <Page>")
    margin = {
        line
        for region in page.iter("TextRegion")
        if region.get("type") in PAGE_MARGIN_TYPES
        for line in region.iter("TextLine")
    }
    regions: list[Polygon] = []
    ignore: list[Polygon] = []
    for line in page.iter("TextLine"):
        coords = line.find("Coords")
        if coords is None:
            raise ValueError(f"the TextLine {line.get('id', '?')} has no <Coords>")
        text = coords.get("points")
        if text is None:  # PAGE before 2013 wrote <Point x= y=/> elements
            text = " ".join(f"{p.get('x')},{p.get('y')}" for p in coords.iter("Point"))
        (ignore if line in margin else regions).append(_points(text))
    image = page.get("imageFilename") or path.stem
    size = _size(page, "imageWidth", "imageHeight")
    return [PageLines(image, size, tuple(regions), tuple(ignore))]


def _read_alto(root: ET.Element, path: Path) -> list[PageLines]:
    """ALTO 2 to 4, measured in pixels."""
    unit = root.findtext("Description/MeasurementUnit", "pixel").strip()
    if unit != "pixel":
        raise ValueError(f"its unit is {unit!r}; only files measured in pixels can be compared")
    name = (root.findtext("Description/sourceImageInformation/fileName") or path.stem).strip()
    pages = []
    for number, page in enumerate(root.iter("Page")):
        regions: list[Polygon] = []
        ignore: list[Polygon] = []
        for part in page:
            target = ignore if part.tag in ALTO_MARGINS else regions
            target.extend(_alto_line(line) for line in part.iter("TextLine"))
        image = name if number == 0 else f"{name}#{number + 1}"
        size = _size(page, "WIDTH", "HEIGHT")
        pages.append(PageLines(image, size, tuple(regions), tuple(ignore)))
    return pages


def _alto_line(line: ET.Element) -> Polygon:
    polygon = line.find("Shape/Polygon")
    if polygon is not None and polygon.get("POINTS"):
        return _points(polygon.get("POINTS", ""))
    x, y = _number(line, "HPOS"), _number(line, "VPOS")
    return box_polygon(x, y, x + _number(line, "WIDTH"), y + _number(line, "HEIGHT"))
