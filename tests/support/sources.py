"""The built-in sources over stores of a test's own."""

from __future__ import annotations

from bec_core.archive import BENCHMARK_SOURCE, BdrcArchive, FlatVersionedFolder, LocalFolder, Sources
from bec_core.builtin import bec_sources
from bec_core.source import Source, SourceType
from bec_core.storage import S3Options, open_store


def stored_sources(
    archive_url: str, benchmark_url: str, *, s3: S3Options | None = None, own_runs: bool = False
) -> Sources:
    """The built-in sources with their stores at these URLs."""

    def open_source(one: SourceType) -> Source:
        if one.name == BENCHMARK_SOURCE:
            return FlatVersionedFolder(open_store(benchmark_url, s3=s3))
        return LocalFolder() if one.name == "file" else BdrcArchive(open_store(archive_url, s3=s3))

    return Sources(bec_sources(), open_source, own_runs=own_runs)
