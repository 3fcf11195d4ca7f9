"""From a volume's name to its pages: the built-in sources, and the one place that picks a source."""

from bec_core.archive.folders import Found, LocalFolder, find_volumes
from bec_core.archive.manifest import parse_manifest
from bec_core.archive.pages import MAX_PAGE_BYTES
from bec_core.archive.paths import MANIFEST_NAME, is_image_name, volume_folder
from bec_core.archive.sources import Sources, folder_sources, open_sources
from bec_core.archive.stored import BdrcArchive, FlatVersionedFolder
from bec_core.builtin import BENCHMARK_SOURCE

__all__ = [
    "BENCHMARK_SOURCE",
    "MANIFEST_NAME",
    "MAX_PAGE_BYTES",
    "BdrcArchive",
    "FlatVersionedFolder",
    "Found",
    "LocalFolder",
    "Sources",
    "find_volumes",
    "folder_sources",
    "is_image_name",
    "open_sources",
    "parse_manifest",
    "volume_folder",
]
