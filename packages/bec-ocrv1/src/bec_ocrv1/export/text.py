"""Plain text: a row for each line, nothing else."""

from __future__ import annotations

from bec_ocrv1.export.pages import ExportPage


def to_text(page: ExportPage) -> bytes:
    """The page's file, UTF-8; a line without a text is an empty row, a page without lines an empty file."""
    return page.text.encode("utf-8", "replace")
