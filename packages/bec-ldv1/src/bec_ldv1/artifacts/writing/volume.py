"""A volume to export: made of what is recorded of its pages, written as a file per page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import attrs

from bec_core import Catalogue, Work
from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.find import Artifact
from bec_ldv1.artifacts.writing.names import file_stems
from bec_ldv1.artifacts.writing.works import NO_CATALOGUE, work_of


class NamedPage(Protocol):
    """A page that knows its image's name, as in the manifest."""

    @property
    def image(self) -> str:
        """The image's name."""
        ...


class RecordedPage(NamedPage, Protocol):
    """A page as an artifact holds it."""

    @property
    def ok(self) -> bool:
        """False for a page that failed."""
        ...


Page = TypeVar("Page", bound=NamedPage)
Recorded = TypeVar("Recorded", bound=RecordedPage)


@attrs.frozen(eq=False)
class ExportVolume(Generic[Page]):
    """A volume's pages in reading order.

    Attributes:
        name: of its artifacts, ``{W_ID}-{I_ID}-{version}``.
        pages: those that were processed.
        failed: the image names of those that were not.
        work: what a catalogue says of its work.
    """

    name: str
    pages: Sequence[Page]
    failed: Sequence[str] = ()
    work: Work = Work()


def volume_of(
    artifact: Artifact,
    recorded: Sequence[Recorded],
    page_of: Callable[[Recorded], Page],
    catalogue: Catalogue = NO_CATALOGUE,
) -> ExportVolume[Page]:
    """The volume to export from what its artifact says of the pages, and a catalogue of its work.

    Raises:
        ExportError: ``page_of`` refused a page; the message then begins with the artifact's path. Or its marker can't
            be read.
    """
    try:
        pages = [page_of(page) for page in recorded if page.ok]
    except ExportError as error:
        raise ExportError(f"{artifact.path}: {error}") from error
    failed = [page.image for page in recorded if not page.ok]
    return ExportVolume(artifact.name, pages, failed, work_of(artifact, catalogue))


def write_pages(volume: ExportVolume[Page], suffix: str, write: Callable[[Page], bytes], out: Path) -> int:
    """Write each page's file, ``out/{volume}/{page}{suffix}``; the number of files. What is there is replaced.

    Raises:
        OSError: a file can't be written.
    """
    folder = out / volume.name
    folder.mkdir(parents=True, exist_ok=True)
    stems = file_stems([page.image for page in volume.pages])
    for page, stem in zip(volume.pages, stems, strict=True):
        (folder / f"{stem}{suffix}").write_bytes(write(page))
    return len(stems)
