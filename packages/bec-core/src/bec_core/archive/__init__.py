"""From a volume's name to its pages: where the archive keeps it, its manifest, and other sources."""

from bec_core.archive.folders import LocalFolder, find_volumes
from bec_core.archive.manifest import parse_manifest
from bec_core.archive.paths import MANIFEST_NAME, is_image_name, volume_folder
from bec_core.archive.sources import (
    BENCHMARK_SOURCE,
    MAX_PAGE_BYTES,
    BdrcArchive,
    FlatVersionedFolder,
    Source,
    Sources,
    standard_sources,
)

__all__ = [
    "BENCHMARK_SOURCE",
    "MANIFEST_NAME",
    "MAX_PAGE_BYTES",
    "BdrcArchive",
    "FlatVersionedFolder",
    "LocalFolder",
    "Source",
    "Sources",
    "find_volumes",
    "is_image_name",
    "parse_manifest",
    "standard_sources",
    "volume_folder",
]
