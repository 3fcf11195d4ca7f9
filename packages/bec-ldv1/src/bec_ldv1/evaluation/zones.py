"""Which text is not of the text block: page numbers, running heads, notes in the margin. Detections there don't count.

PAGE has region types of its own; Transkribus and eScriptorium write theirs into the attribute ``custom``, ALTO's
programs into tags. Both hold PAGE's names or those of SegmOnto (https://segmonto.github.io), whose zones may have
a subtype and a number: ``MarginTextZone:note#2``.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

PAGE_TYPES = frozenset(
    {"header", "footer", "page-number", "marginalia", "signature-mark", "catch-word", "footnote"}
)
"""PAGE's text region types, and Transkribus's structure types."""

SEGMONTO_ZONES = frozenset(
    {
        "margintextzone",
        "numberingzone",
        "quiremarkszone",
        "runningtitlezone",
        "stampzone",
        "sealzone",
        "digitizationartefactzone",
    }
)
"""SegmOnto's zones, in small letters."""

ALTO_PARTS = frozenset({"TopMargin", "LeftMargin", "RightMargin", "BottomMargin"})
"""ALTO's page parts."""

_STRUCTURE = re.compile(r"structure\s*\{[^}]*?type\s*:\s*([^;}]+)")


def is_margin(name: str) -> bool:
    """Whether a type, or a zone with whatever follows its name, is not of the text block."""
    plain = re.split("[:#]", name, maxsplit=1)[0].strip().lower()
    return plain in PAGE_TYPES or plain in SEGMONTO_ZONES


def page_margin(element: ET.Element) -> bool:
    """Whether PAGE says so of a region or line itself."""
    named = _STRUCTURE.findall(element.get("custom", ""))
    return any(is_margin(name) for name in (element.get("type", ""), *named))


def alto_tags(root: ET.Element) -> dict[str, str]:
    """The labels of a file's tags by their ids."""
    return {tag.get("ID", ""): tag.get("LABEL", "") for tag in root.iterfind("Tags/*")}


def alto_margin(element: ET.Element, tags: Mapping[str, str]) -> bool:
    """Whether ALTO says so of a part, block or line itself."""
    named = (tags.get(tag, "") for tag in element.get("TAGREFS", "").split())
    return element.tag in ALTO_PARTS or any(is_margin(name) for name in named)
