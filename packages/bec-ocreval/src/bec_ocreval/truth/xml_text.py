"""Text lines of PAGE XML and ALTO.

A document type declaration is refused, so that nobody's entities are read; namespaces don't matter, because
those of the formats' many versions differ and their line elements don't. Coordinates are not looked at: a
line without any has its text all the same.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from attrs import frozen
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

MAX_BYTES = 64 * 1024 * 1024
"""Largest file that is read: a page's file is under one megabyte."""

MAX_DEPTH = 200
"""Deepest nesting accepted: PAGE and ALTO stay under 20."""

_INDEXES = frozenset({"mets", "METS"})  # what lists the files of an export, and holds no text itself


@frozen
class XmlPage:
    """What a file says of its page.

    Attributes:
        image: the image's name; empty if the file doesn't say.
        lines: the lines' texts in reading order.
        untold: how many lines have no text (only their place).
    """

    image: str
    lines: tuple[str, ...]
    untold: int


def read_xml(data: bytes) -> XmlPage | None:
    """The page of a PAGE or ALTO file; None for an index (METS), which is no page.

    Raises:
        ValueError: the file can't be read as either; the message says why.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file is larger than {MAX_BYTES} bytes")
    try:
        root: ET.Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise ValueError(
            "it has a document type declaration (DOCTYPE), which is not accepted; remove it"
        ) from error
    except (ET.ParseError, LookupError, UnicodeError) as error:
        raise ValueError(f"it is not well-formed XML: {error}") from error
    _bare_names(root)
    if root.tag == "PcGts":
        return _read_page(root)
    if root.tag == "alto":
        return _read_alto(root)
    if root.tag in _INDEXES:
        return None
    raise ValueError(f"its root element is <{root.tag}>, neither PAGE's <PcGts> nor <alto>")


def _bare_names(root: ET.Element) -> None:
    """Drop the namespaces from the elements' names.

    Raises:
        ValueError: elements are nested too deep.
    """
    level = [root]
    for _ in range(MAX_DEPTH):
        for element in level:
            element.tag = str(element.tag).rpartition("}")[2]
        level = [child for element in level for child in element]
        if not level:
            return
    raise ValueError(f"elements are nested more than {MAX_DEPTH} deep")


def _read_page(root: ET.Element) -> XmlPage:
    """PAGE 2010 to 2019: the regions in the file's reading order, else as they stand."""
    page = root.find("Page")
    if page is None:
        raise ValueError("it has no <Page>")
    lines: list[str] = []
    untold = 0
    for region in _ordered_regions(page):
        own = list(region.findall("TextLine"))
        texts = [text for line in own if (text := _text_of(line)) is not None]
        if own and not texts and (whole := _unicode(region)) is not None:
            texts, own = whole.splitlines(), []  # some files have the text of the region alone
        elif not own and not _inner_regions(region) and (whole := _unicode(region)) is not None:
            texts = whole.splitlines()
        lines += texts
        untold += max(0, len(own) - len(texts))
    return XmlPage(page.get("imageFilename", "").strip(), tuple(lines), untold)


def _ordered_regions(page: ET.Element) -> list[ET.Element]:
    """All text regions: those that the reading order names in its order, the others behind them."""
    regions = list(page.iter("TextRegion"))
    by_id = {region.get("id"): region for region in regions}
    order = page.find("ReadingOrder")
    named = [by_id[one] for one in ([] if order is None else _references(order)) if one in by_id]
    of_named = [inner for region in named for inner in region.iter("TextRegion")]
    return list({id(region): region for region in (*of_named, *regions)}.values())


def _references(group: ET.Element) -> list[str]:
    """The regions that a group of the reading order names; ordered ones by their index."""
    children = list(group)
    if all((child.get("index") or "").strip().isdecimal() for child in children):
        children.sort(key=lambda child: int(child.get("index") or 0))
    found: list[str] = []
    for child in children:
        if (reference := child.get("regionRef")) is not None:
            found.append(reference)
        found += _references(child)
    return found


def _inner_regions(region: ET.Element) -> list[ET.Element]:
    return region.findall("TextRegion")


def _text_of(line: ET.Element) -> str | None:
    """A line's text, or that of its words; None if it has none."""
    whole = _unicode(line)
    if whole is not None:
        return whole
    words = [text for word in line.findall("Word") if (text := _unicode(word)) is not None]
    return " ".join(words) if words else None


def _unicode(element: ET.Element) -> str | None:
    """The text that an element itself has: of several readings the first one."""
    readings = [equiv for equiv in element.findall("TextEquiv") if equiv.find("Unicode") is not None]
    if not readings:
        return None
    readings.sort(
        key=lambda equiv: int(index) if (index := (equiv.get("index") or "0").strip()).isdecimal() else 0
    )
    return readings[0].findtext("Unicode") or ""


def _read_alto(root: ET.Element) -> XmlPage:
    """ALTO 1 to 4, one page a file."""
    pages = list(root.iter("Page"))
    if len(pages) != 1:
        raise ValueError(f"it holds {len(pages)} pages; write one file for each")
    lines: list[str] = []
    untold = 0
    for line in pages[0].iter("TextLine"):
        text = _alto_text(line)
        if text.strip():
            lines.append(text)
        else:
            untold += 1
    name = (root.findtext("Description/sourceImageInformation/fileName") or "").strip()
    return XmlPage(name, tuple(lines), untold)


def _alto_text(line: ET.Element) -> str:
    """The line's strings with the spaces between them."""
    parts = []
    for element in line:
        if element.tag in ("String", "HYP"):
            parts.append(element.get("CONTENT", ""))
        elif element.tag == "SP":
            parts.append(" ")
    return "".join(parts)
