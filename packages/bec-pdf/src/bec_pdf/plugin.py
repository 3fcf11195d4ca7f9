"""The plugin: what ``bec`` imports to list sources. Light on purpose: no PDFium, no numpy."""

from __future__ import annotations

from attrs import frozen

from bec_core import SourceType, between, hookimpl, option


@frozen
class PdfSettings:
    """What the environment may say of PDF files."""

    dpi: int = option(
        300, "The resolution at which pages are drawn that are not one image.", **between(50, 1200)
    )


@hookimpl
def bec_sources() -> list[SourceType]:
    """The source ``pdf``."""
    return [
        SourceType(
            "pdf",
            "bec_pdf.source:open_source",
            "PDF files on this machine, each a volume.",
            in_messages=False,
            endings=(".pdf",),
            settings=PdfSettings,
        )
    ]
