"""Parse XML that a stranger wrote.

No document type declaration is accepted, so that no entity can be declared: neither the billion laughs nor an
external entity gets anywhere. Namespaces are dropped from element names (PAGE and ALTO exist in many
versions whose namespaces differ and whose line elements don't).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from xml.parsers import expat

MAX_BYTES = 64 * 1024 * 1024
"""Largest file that is parsed: a page's file is under one megabyte."""

MAX_DEPTH = 200
"""Deepest nesting accepted: PAGE and ALTO stay under 20."""


def parse_xml(data: bytes) -> ET.Element:
    """The root element; element names without namespaces.

    Raises ``ValueError`` with the reason when the data is too large, too deep, not XML or has a DOCTYPE.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file is larger than {MAX_BYTES} bytes")
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"elements are nested more than {MAX_DEPTH} deep")
        builder.start(_local(tag), {_local(k): v for k, v in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_local(tag))

    def doctype(*_: object) -> None:
        raise ValueError("it has a document type declaration (DOCTYPE), which is not accepted; remove it")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"it is not well-formed XML: {error}") from error
    return builder.close()


def _local(name: str) -> str:
    return name.rpartition("}")[2]
