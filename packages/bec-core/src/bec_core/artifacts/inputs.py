"""An input of a volume that is done: what lies there, read as it stands."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, BinaryIO

from attrs import frozen

from bec_core.artifacts.marker import Marker
from bec_core.artifacts.place import TaskFolder
from bec_core.db.inputs import BoundInput
from bec_core.errors import InputArtifactMissing, ObjectNotFound


@frozen
class ReadyInput:
    """A :class:`~bec_core.job.InputVolume`: the slot as it is bound, where the volume lies, the marker that stands."""

    bound: BoundInput
    folder: TaskFolder
    standing: Marker

    @property
    def job(self) -> str:
        """The name of the job that the input is bound to."""
        return str(self.bound.job_name)

    @property
    def basename(self) -> str:
        """What its artifacts' names begin with."""
        return self.folder.basename

    @property
    def marker(self) -> Mapping[str, Any]:
        """The content of its ``success.json``."""
        return self.standing.content

    def read(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``.

        Raises:
            InputArtifactMissing: there is none; the message lists those there are.
        """
        try:
            return self.folder.read(suffix)
        except ObjectNotFound:
            raise self.missing(suffix) from None

    def open(self, suffix: str) -> BinaryIO:
        """The same as a stream."""
        return io.BytesIO(self.read(suffix))

    def missing(self, suffix: str) -> InputArtifactMissing:
        """The error that says that it has no such artifact."""
        has = sorted(self.standing.checksums or ()) or ["nothing that its marker lists"]
        ref = self.folder.volume.ref
        return InputArtifactMissing(
            f"job {self.job} is done with {ref}, but there is no {self.basename}{suffix} (it has: {', '.join(has)});"
            f" do it again: bec queue enqueue --job-name {self.job} --volume {ref.w_id},{ref.i_id} --force"
        )
