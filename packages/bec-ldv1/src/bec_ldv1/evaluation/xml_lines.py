"""The lines of PAGE XML and ALTO files, of whatever version and program."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import attrs
import numpy as np

from bec_ldv1.evaluation.pages import PageLines, Polygon, box_polygon, polygon_of
from bec_ldv1.evaluation.zones import alto_margin, alto_tags, page_margin

ALTO_UNITS = frozenset({"mm10", "inch1200"})
"""ALTO's units besides the pixel: lengths on paper, which only the image's size makes pixels of."""


@attrs.frozen(eq=False)
class _Found:
    """A line of a file: its outline, or why it has none, and then its baseline if there is one."""

    polygon: Polygon | None
    margin: bool
    reason: str = ""
    baseline: Polygon | None = None


def page_xml_pages(root: ET.Element, path: Path) -> list[PageLines]:
    """The page of a PAGE file of 2009 to 2019; region outlines are not read, only text lines'.

    Raises:
        ValueError: it has no page, or a size that is no number.
    """
    page = root.find("Page")
    if page is None:
        raise ValueError("it has no <Page>")
    image = page.get("imageFilename", "").strip() or path.stem
    size = _size(page, "imageWidth", "imageHeight")
    found = [_page_line(line, margin) for line, margin in _lines(page, page_margin)]
    return [_page_of(image, size, found)]


def alto_pages(root: ET.Element, path: Path) -> list[PageLines]:
    """The pages of an ALTO file of 2 to 4.

    Raises:
        ValueError: its unit is unknown, or can't become pixels; or a size is no number.
    """
    unit = (root.findtext("Description/MeasurementUnit") or "").strip() or "pixel"
    if unit != "pixel" and unit not in ALTO_UNITS:
        raise ValueError(f"its unit is {unit!r}; ALTO knows pixel, {' and '.join(sorted(ALTO_UNITS))}")
    name = (root.findtext("Description/sourceImageInformation/fileName") or "").strip() or path.stem
    tags = alto_tags(root)
    pages = []
    for number, page in enumerate(root.iter("Page")):
        size = _size(page, "WIDTH", "HEIGHT")
        if unit != "pixel" and (size is None or min(size) < 1):
            raise ValueError(f"its unit is {unit} and a page has no size, so that nothing tells its pixels")
        lines = _lines(page, lambda element: alto_margin(element, tags))
        found = [_alto_line(line, margin) for line, margin in lines]
        made = _page_of(name if number == 0 else f"{name}#{number + 1}", size, found)
        pages.append(attrs.evolve(made, in_pixels=unit == "pixel"))
    return pages


def _page_of(image: str, size: tuple[int, int] | None, found: Sequence[_Found]) -> PageLines:
    """The page of these lines.

    A line without an outline is left out and counted. Where it has a baseline, detections about it are neither
    right nor wrong. A page that has nothing but such lines is known by their number.
    """
    whole = [line.polygon for line in found if line.polygon is not None and not line.margin]
    bare = [line for line in found if line.polygon is None]
    text = [line for line in bare if not line.margin]
    known = [line.polygon for line in found if line.polygon is not None]
    height = float(np.median([np.ptp(polygon[:, 1]) for polygon in known])) if known else 0.0
    about = [_band(line.baseline, height) for line in bare if line.baseline is not None and height > 0]
    return PageLines(
        image,
        size,
        tuple(whole),
        tuple(line.polygon for line in found if line.polygon is not None and line.margin) + tuple(about),
        line_count=len(text) if text and not whole else None,
        without_outline=tuple(line.reason for line in bare),
    )


def _lines(page: ET.Element, is_margin: Callable[[ET.Element], bool]) -> Iterator[tuple[ET.Element, bool]]:
    """The text lines below an element in their order, and whether they or something around them is a margin."""
    waiting = [(page, False)]
    while waiting:
        element, margin = waiting.pop()
        margin = margin or is_margin(element)
        if element.tag == "TextLine":
            yield element, margin
        else:
            waiting.extend((child, margin) for child in reversed(element))


def _page_line(line: ET.Element, margin: bool) -> _Found:
    coords, course = line.find("Coords"), line.find("Baseline")
    baseline = None if course is None else _baseline(course.get("points", ""))
    name = f"the TextLine {line.get('id', '?')}"
    if coords is None:
        return _Found(None, margin, f"{name} has no <Coords>", baseline)
    text = coords.get("points")
    if text is None:  # PAGE before 2013 wrote <Point x= y=/> elements
        text = " ".join(f"{p.get('x')},{p.get('y')}" for p in coords.iter("Point"))
    try:
        return _Found(polygon_of(_points(text)), margin)
    except ValueError as error:
        return _Found(None, margin, f"{name}: {error}", baseline)


def _alto_line(line: ET.Element, margin: bool) -> _Found:
    polygon = line.find("Shape/Polygon")
    try:
        if polygon is not None and polygon.get("POINTS", "").strip():
            return _Found(polygon_of(_points(polygon.get("POINTS", ""))), margin)
        x, y = _number(line, "HPOS"), _number(line, "VPOS")
        box = box_polygon(x, y, x + _number(line, "WIDTH"), y + _number(line, "HEIGHT"))
    except ValueError as error:
        baseline = _baseline(line.get("BASELINE", ""))
        return _Found(None, margin, f"the TextLine {line.get('ID', '?')}: {error}", baseline)
    return _Found(box, margin)


def _points(text: str) -> list[tuple[float, float]]:
    """PAGE's ``x,y x,y`` and ALTO's ``x y x y`` alike."""
    numbers = [float(n) for n in text.replace(",", " ").split()]
    if len(numbers) % 2:
        raise ValueError(f"an odd number of coordinates in {text[:60]!r}")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _baseline(text: str) -> Polygon | None:
    """A baseline's points, left to right; None where there is none to use (ALTO's may be a single number)."""
    try:
        points = np.array(sorted(_points(text)), np.float32).reshape(-1, 2)
    except ValueError:
        return None
    usable = len(points) >= 2 and np.isfinite(points).all() and all(a[0] < b[0] for a, b in pairwise(points))
    return points if usable else None


def _band(baseline: Polygon, height: float) -> Polygon:
    """What lies at most so far above and below a baseline: programs draw it under, through and over the letters."""
    reach = np.array([0, height], np.float32)
    return polygon_of(np.vstack((baseline - reach, (baseline + reach)[::-1])))


def _number(element: ET.Element, name: str) -> float:
    value = element.get(name)
    if value is None:
        raise ValueError(f"<{element.tag}> has no attribute {name}")
    return float(value)


def _size(page: ET.Element, width: str, height: str) -> tuple[int, int] | None:
    if page.get(width) is None or page.get(height) is None:
        return None
    return round(_number(page, width)), round(_number(page, height))
