"""From artifacts to pages: nothing is detected again, and no image is opened."""

from __future__ import annotations

from functools import partial

from bec_core import Catalogue
from bec_ldv1.artifacts import read_lines
from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.find import Artifact
from bec_ldv1.artifacts.writing.volume import ExportVolume, volume_of
from bec_ldv1.artifacts.writing.works import NO_CATALOGUE
from bec_ldv1.output.export.pages import ExportPage, page_of


def read_volume(
    artifact: Artifact, *, as_shown: bool = False, catalogue: Catalogue = NO_CATALOGUE
) -> ExportVolume[ExportPage]:
    """A volume's pages from its Parquet file, as their images are stored or ``as_shown`` by viewers.

    ``catalogue`` says the volume's title and link.

    Raises:
        ExportError: the file can't be read, holds no line-detection records, or no whole lines;
            or not what showing them takes.
    """
    pages = artifact.read(read_lines)
    if any(page.pieces_only for page in pages):
        raise ExportError(
            f"{artifact.path} has only the contract's columns, which hold no whole lines and no page sizes; "
            f"run the job again over the volume"
        )
    return volume_of(artifact, pages, partial(page_of, as_shown=as_shown), catalogue)
