"""A finished volume, as a plugin's report reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from bec_core.archive.sources import Sources
from bec_core.artifacts.inputs import ReadyInput
from bec_core.artifacts.place import TaskFolder
from bec_core.models import Page, PageData, Volume, Work


@frozen
class FinishedVolume:
    """A :class:`~bec_core.job.ReportVolume`: the artifacts of a volume that is done, and its pages."""

    folder: TaskFolder
    sources: Sources
    work: Work
    marker: Mapping[str, Any]
    find_input: Callable[[str], ReadyInput] = field(repr=False)
    served_at: str | None = None

    @property
    def volume(self) -> Volume:
        """The volume at the version that was processed."""
        return self.folder.volume

    @property
    def basename(self) -> str:
        """What the artifacts' names begin with."""
        return self.folder.basename

    def artifact(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``."""
        return self.folder.read(suffix)

    def read_page(self, page: Page) -> PageData:
        """The page's bytes."""
        return self.sources.read_page(self.folder.volume, page)

    def input(self, name: str) -> ReadyInput:
        """What the job bound to this input has done of the volume, as it stands now.

        Raises:
            ObjectNotFound: it has not done it (any more).
            ValueError: there is no such input.
        """
        return self.find_input(name)
