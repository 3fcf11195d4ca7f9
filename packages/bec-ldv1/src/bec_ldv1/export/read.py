"""From artifacts to pages: nothing is detected again, and no image is opened."""

from __future__ import annotations

from bec_ldv1.artifacts import read_lines
from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.find import Artifact
from bec_ldv1.export.pages import ExportVolume, page_of


def read_volume(artifact: Artifact) -> ExportVolume:
    """A volume's pages from its Parquet file.

    Raises:
        ExportError: the file can't be read, holds no line-detection records, or no whole lines.
    """
    pages = artifact.read(read_lines)
    if any(page.pieces_only for page in pages):
        raise ExportError(
            f"{artifact.path} has only the contract's columns, which hold no whole lines and no page sizes; "
            f"run the job again over the volume"
        )
    try:
        exported = [page_of(page) for page in pages if page.ok]
    except ExportError as error:
        raise ExportError(f"{artifact.path}: {error}") from error
    return ExportVolume(artifact.name, exported, [page.image for page in pages if not page.ok])
