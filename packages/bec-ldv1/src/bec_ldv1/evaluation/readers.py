"""Read line regions: PAGE XML, ALTO, and the JSON lines forms ``ground-truth.jsonl`` and ``lines.jsonl``."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path

from loguru import logger

from bec_ldv1.evaluation.folders import page_files, twice
from bec_ldv1.evaluation.pages import PageLines, Polygon, TruthError, box_polygon, polygon_of
from bec_ldv1.evaluation.xml_lines import alto_pages, page_xml_pages
from bec_ldv1.evaluation.xml_safe import parse_xml

_FORMATS = {"PcGts": page_xml_pages, "alto": alto_pages}


def read_pages(path: Path, warn: Callable[[str], None] = logger.warning) -> list[PageLines]:
    """The pages of a ``.jsonl`` file, a PAGE or ALTO ``.xml`` file, or a folder of such XML files.

    What is left out (indexes of files, lines without an outline) is told by ``warn``.

    Raises ``TruthError`` naming the file (and line) and what is wrong with it.
    """
    if path.is_dir():
        return _read_folder(path, warn)
    if not path.is_file():
        raise TruthError(f"{path} does not exist")
    return read_xml(path, warn) if path.suffix.lower() == ".xml" else read_jsonl(path)


def _read_folder(folder: Path, warn: Callable[[str], None]) -> list[PageLines]:
    found: list[tuple[Path, PageLines]] = []
    for file in page_files(folder, warn):
        root = _root(file)
        if root.tag in _FORMATS:
            found += [(file, page) for page in _pages_of(root, file, warn)]
        else:
            warn(f"left out, as its root element <{root.tag}> is neither PAGE's nor ALTO's: {file}")
    if not found:
        raise TruthError(f"{folder} holds no PAGE or ALTO file")
    twice(folder, found)
    return [page for _, page in found]


def read_jsonl(path: Path) -> list[PageLines]:
    """The pages of a JSON lines file.

    A row has ``image`` and one of ``lines`` (each a box ``[x0, y0, x1, y1]`` or a ``{"polygon": …}``),
    ``boxes``, ``polygons`` or ``line_count``; ``size`` ``[w, h]``, ``margin`` and ``script`` are optional.
    """
    try:
        rows = path.read_text(encoding="utf-8").split("\n")
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


def read_xml(path: Path, warn: Callable[[str], None] = logger.warning) -> list[PageLines]:
    """The pages of a PAGE XML or ALTO file (PAGE holds one, ALTO may hold several).

    Lines without an outline are left out, counted (`PageLines.without_outline`) and told by ``warn``.
    """
    root = _root(path)
    if root.tag not in _FORMATS:
        raise TruthError(f"{path}: its root element is <{root.tag}>, neither PAGE's <PcGts> nor <alto>")
    return _pages_of(root, path, warn)


def pages_of_xml(data: bytes) -> list[PageLines]:
    """The pages of a PAGE or ALTO file that somebody sent; a page that names no image is called ``page``.

    Raises:
        ValueError: it is neither, or can't be read.
    """
    root = parse_xml(data)
    if root.tag not in _FORMATS:
        raise ValueError(f"its root element is <{root.tag[:100]}>, neither PAGE's <PcGts> nor <alto>")
    return _FORMATS[root.tag](root, Path("page"))


def _root(path: Path) -> ET.Element:
    try:
        return parse_xml(path.read_bytes())
    except ValueError as error:
        raise TruthError(f"{path}: {error}") from error


def _pages_of(root: ET.Element, path: Path, warn: Callable[[str], None]) -> list[PageLines]:
    try:
        pages = _FORMATS[root.tag](root, path)
    except ValueError as error:
        raise TruthError(f"{path}: {error}") from error
    for page in pages:
        if page.without_outline:
            count = len(page.without_outline)
            warn(
                f"{path}: left out for want of an outline: lines {count}, the first: {page.without_outline[0]}"
            )
    return pages


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
