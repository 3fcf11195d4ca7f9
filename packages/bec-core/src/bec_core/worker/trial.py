"""A job over some pages without queue, database or lease: nothing is published, everything is measured."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from attrs import field, frozen

from bec_core.archive.sources import Sources
from bec_core.db.tasks import Claim
from bec_core.errors import InputArtifactMissing
from bec_core.job import InputVolume
from bec_core.models import Message, Page, PageData, PageFailure, TaskResult, Volume
from bec_core.pages.pools import PagePools
from bec_core.worker.context import RunningTask
from bec_core.worker.hold import HeldTask
from bec_core.worker.workplace import LoadedJob

_LEASE_S = 3600.0  # nobody looks at it


@frozen
class GivenInput:
    """An :class:`~bec_core.job.InputVolume` of given artifacts, by suffix; its job is called as the input is."""

    job: str
    basename: str
    files: Mapping[str, bytes]
    marker: Mapping[str, Any] = field(factory=dict)

    def read(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``.

        Raises:
            InputArtifactMissing: it was not given.
        """
        try:
            return self.files[suffix]
        except KeyError:
            has = ", ".join(self.basename + one for one in self.files)
            raise InputArtifactMissing(
                f"the input {self.job} has no {self.basename}{suffix} (it has: {has})"
            ) from None

    def open(self, suffix: str) -> BinaryIO:
        """The same as a stream."""
        return io.BytesIO(self.read(suffix))


@frozen
class Trial:
    """What came of it: the artifacts by suffix, as they would be published; bytes read; seconds by the clock.

    ``processor_s``: processor time of this process and of the children that it waited for, meanwhile.
    """

    files: Mapping[str, bytes]
    failures: tuple[PageFailure, ...]
    bytes_read: int
    seconds: float
    processor_s: float


def held_by_nobody(volume: Volume, *, attempt: int = 1) -> HeldTask:
    """A task that no row and no message stands for."""
    return HeldTask(
        claim=Claim(task_id=1, epoch=attempt, attempt=attempt, failures=attempt - 1),
        message=Message("1", "", {}, ""),
        volume=volume,
        lease_ends=time.monotonic() + _LEASE_S,
    )


def plain_basename(volume: Volume) -> str:
    """What the names of its artifacts begin with."""
    return f"{volume.ref.w_id}-{volume.ref.i_id}-{volume.version}"


class _Counted(RunningTask):
    """A task that counts the bytes that are read."""

    bytes_read = 0

    def read_page(self, page: Page) -> PageData:
        """The page's bytes."""
        data = super().read_page(page)
        with self._lock:
            self.bytes_read += len(data.data)
        return data


def try_pages(
    loaded: LoadedJob,
    volume: Volume,
    sources: Sources,
    *,
    inputs: Callable[[str], InputVolume],
    pools: PagePools,
    scratch: Path | None = None,
) -> Trial:
    """Let the job's worker do a volume (its pages may be some of the real one's); what came of it.

    Raises:
        TypeError: the job returned no result. And whatever the job raises.
    """
    task = _Counted(
        config=loaded.config,
        held=held_by_nobody(volume),
        basename=plain_basename(volume),
        sources=sources,
        inputs=inputs,
        on_page=lambda _: None,
        metrics=loaded.type.metrics,
        pools=pools,
        scratch=scratch,
        bound={"job": loaded.job.name},
    )
    began, spent = time.perf_counter(), _processor_s()
    try:
        result: object = loaded.worker.run(task)
        if not isinstance(result, TaskResult):
            raise TypeError(f"{loaded.type.name}'s run returned {result!r:.200}, not a TaskResult")
        task.complete(result)
        files = {
            name.removeprefix(task.basename): data if isinstance(data, bytes) else data.read()
            for name, data in task.files().items()
        }
        seconds, processor_s = time.perf_counter() - began, _processor_s() - spent
    finally:
        task.release()
    return Trial(files, tuple(task.failures), task.bytes_read, seconds, processor_s)


def _processor_s() -> float:
    from bec_core.pages.processes import processor_s

    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system + processor_s()
