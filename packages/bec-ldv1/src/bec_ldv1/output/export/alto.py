"""ALTO 4.2: the format of libraries' newspaper programmes, also read by eScriptorium and kraken."""

from __future__ import annotations

from bec_ldv1.artifacts.writing.alto import alto_document, alto_line
from bec_ldv1.artifacts.writing.xml_text import to_bytes
from bec_ldv1.output.export.pages import ExportPage


def to_alto(page: ExportPage, software: str, version: str) -> bytes:
    """The page's file.

    One text block, the lines' bounding box, holds the lines in reading order. The schema asks for a ``String`` in
    every line: it is empty, and as large as the line.

    Args:
        page: what to write.
        software: the program that found the lines.
        version: the program's.
    """
    root, block = alto_document(page, "lines", software, version)
    if block is not None:
        for number, line in enumerate(page.lines, start=1):
            alto_line(block, number, line, CONTENT="")
    return to_bytes(root)
