"""Where parts lie: ``.bec/parts/{job}/{W_ID}/{I_ID}/{version}/{epoch}-{number}.part``, in the artifacts' store.

No job's artifacts can lie there: an artifact's first folder begins with a letter or a digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from attrs import frozen

from bec_core.models import Volume
from bec_core.storage import Store

ROOT = ".bec/parts"
_SUFFIX = ".part"


@frozen
class PartsFolder:
    """The parts of one task: a job, a volume, a version."""

    store: Store
    job: str
    w_id: str
    i_id: str
    version: str

    @classmethod
    def of(cls, store: Store, job_name: str, volume: Volume) -> PartsFolder:
        """The folder of a job's task."""
        return cls(store, job_name, volume.ref.w_id, volume.ref.i_id, volume.version)

    @property
    def prefix(self) -> str:
        """The folder's key."""
        return f"{ROOT}/{self.job}/{self.w_id}/{self.i_id}/{self.version}"

    def key(self, epoch: int, number: int) -> str:
        """The key of an attempt's part; nobody else writes it, since the epoch is the attempt's own."""
        return f"{self.prefix}/{epoch:010}-{number:06}{_SUFFIX}"

    def keys(self) -> list[str]:
        """The keys of all parts, older attempts' first."""
        return [info.key for info in self.store.list(self.prefix) if info.key.endswith(_SUFFIX)]

    def remove(self) -> int:
        """Remove all parts; how many there were."""
        keys = self.keys()
        for key in keys:
            self.store.delete(key)
        return len(keys)


@frozen
class Kept:
    """What is kept of one task: how many parts, their bytes, when the newest was written."""

    folder: PartsFolder
    parts: int
    size: int
    newest: datetime


def kept_of_job(store: Store, job_name: str) -> Iterator[Kept]:
    """What is kept of each task of a job."""
    found: dict[tuple[str, str, str], Kept] = {}
    for info in store.list(f"{ROOT}/{job_name}"):
        parts = info.key.split("/")
        if len(parts) != 7 or not info.key.endswith(_SUFFIX):
            continue
        w_id, i_id, version = parts[3:6]
        folder = PartsFolder(store, job_name, w_id, i_id, version)
        one = found.get((w_id, i_id, version)) or Kept(folder, 0, 0, info.last_modified)
        found[w_id, i_id, version] = Kept(
            folder, one.parts + 1, one.size + info.size, max(one.newest, info.last_modified)
        )
    yield from found.values()
