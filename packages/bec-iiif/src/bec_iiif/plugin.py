"""The plugin: what ``bec`` imports to list sources. Light on purpose: no HTTP client."""

from __future__ import annotations

from bec_core import SourceType, hookimpl
from bec_iiif.settings import IiifSettings


@hookimpl
def bec_sources() -> list[SourceType]:
    """The source ``iiif``."""
    return [
        SourceType(
            "iiif",
            "bec_iiif.source:open_source",
            "IIIF manifests (Presentation 2 and 3): pages from a library's image server.",
            in_messages=True,
            prefixes=("https://", "http://"),
            settings=IiifSettings,
        )
    ]
