"""XML files from element trees, whatever the names in them hold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """The text with U+FFFD for each character that XML can't hold in any form: controls, halves of pairs."""
    return _NO_XML.sub("\ufffd", text)


def to_bytes(root: ET.Element, *, doctype: str = "") -> bytes:
    """The document in UTF-8, indented; the serializer escapes markup in texts and attributes."""
    ET.indent(root)
    head = f"<?xml version='1.0' encoding='UTF-8'?>\n{doctype}"
    return f"{head}{ET.tostring(root, encoding='unicode')}\n".encode()


def child(parent: ET.Element, tag: str, text: str | None = None, /, **attributes: object) -> ET.Element:
    """A new last child; attribute values that are no strings are written by ``str``."""
    element = ET.SubElement(parent, tag, {name: clean(str(value)) for name, value in attributes.items()})
    element.text = None if text is None else clean(text)
    return element
