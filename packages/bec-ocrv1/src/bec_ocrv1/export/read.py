"""From artifacts to pages: nothing is recognised again, and no image is opened."""

from __future__ import annotations

from functools import partial

from bec_core import Catalogue
from bec_ldv1.artifacts.writing.find import Artifact, Found, find_artifacts
from bec_ldv1.artifacts.writing.volume import ExportVolume, volume_of
from bec_ldv1.artifacts.writing.works import NO_CATALOGUE
from bec_ocrv1.artifacts import CONTRACT, PageText, read_texts
from bec_ocrv1.export.pages import ExportLine, ExportPage, page_of


def find_texts(source: str) -> Found:
    """The Parquet files with text that a source means: see `find_artifacts`."""
    return find_artifacts(source, columns=CONTRACT, content="recognised text")


def read_texts_of(artifact: Artifact) -> list[PageText]:
    """A volume's pages as they are recorded, failed ones too.

    Raises:
        ExportError: the file can't be read, or holds no text.
    """
    return artifact.read(read_texts)


def read_volume(
    artifact: Artifact,
    *,
    places: bool = True,
    as_shown: bool = False,
    catalogue: Catalogue = NO_CATALOGUE,
) -> ExportVolume[ExportPage]:
    """A volume's pages from its Parquet file, as their images are stored or ``as_shown`` by viewers.

    Without ``places``, files that have only the contract's columns do: their lines have no outlines then.
    ``catalogue`` says the volume's title and link.

    Raises:
        ExportError: the file can't be read, holds no text, or not the places of its lines.
    """
    made = partial(page_of, as_shown=as_shown) if places else _without_places
    return volume_of(artifact, read_texts_of(artifact), made, catalogue)


def _without_places(page: PageText) -> ExportPage:
    lines = [ExportLine(line.text, line.confidence or 0.0, (), ()) for line in page.lines]
    return ExportPage(page.image, page.width or 0, page.height or 0, lines, page.flags)
