"""A task's inputs: whether they are done at its version, and reading them.

What is read is noted by content. Should an input be done anew while a task reads it, the task is stopped and tried
again with what stands then: a result is never made of two states of one input.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from attrs import field, frozen
from loguru import logger

from bec_core.artifacts import Marker, ReadyInput, TaskFolder, remember
from bec_core.db import Database, inputs, volumes
from bec_core.db.blocking import Released
from bec_core.errors import InputChanged, RetryableTaskError
from bec_core.job import JobType
from bec_core.models import Job, Volume
from bec_core.storage import Store


@frozen
class Read:
    """An artifact of an input that a task read: ``listed`` if that input's marker tells its checksum too."""

    input: str
    job: str
    artifact: str
    sha256: str
    job_id: int
    listed: bool


@frozen
class Unready:
    """The inputs of a volume are not all done; ``why`` names those that are not."""

    why: str


@frozen
class Vanished:
    """The database says that an input is done, but no marker stands; ``why`` says where, and the way out."""

    why: str


@frozen
class Found:
    """The inputs of a volume, all done; ``released`` is what became known to be done for other jobs, too."""

    ready: tuple[ReadyInput, ...]
    released: tuple[Released, ...] = ()


def find(
    database: Database, store: Store, job: Job, job_type: JobType, volume: Volume
) -> Found | Unready | Vanished:
    """The inputs of a job for a volume at its version. A marker that stands without a row is remembered."""
    with database.connection() as connection:
        volume_id = volumes.upsert(connection, volume)
        standing = inputs.standing(connection, job.id, volume_id, volume.etag)
    ready, released = list[ReadyInput](), list[Released]()
    known = {bound.name for bound, _ in standing}
    missing = [f"{one.name} (bound to no job)" for one in job_type.inputs if one.name not in known]
    for bound, done_at in standing:
        if bound.job_id is None or bound.artifact_root is None:
            missing.append(f"{bound.name} (bound to no job)")
            continue
        folder = TaskFolder(store, done_at or bound.artifact_root, volume)
        marker = folder.marker()
        if marker is None:
            if done_at is not None:
                return Vanished(
                    f"job {bound.job_name} is said to have done {volume.ref}, but no marker stands in {folder.uri};"
                    f" see: bec audit --job-name {bound.job_name} --repair"
                )
            missing.append(f"{bound.name} ({bound.job_name})")
            continue
        if done_at is None:
            with database.connection() as connection:
                remembered = remember(
                    connection,
                    marker,
                    job_id=bound.job_id,
                    volume_id=volume_id,
                    etag=volume.etag,
                    version=volume.version,
                    root=bound.artifact_root,
                )
            released += remembered.released
        ready.append(ReadyInput(bound, folder, marker))
    if missing:
        return Unready(f"not done at version {volume.version}: {', '.join(missing)}")
    return Found(tuple(ready), tuple(released))


def changed_input(ready: Sequence[ReadyInput], marker: Marker) -> str | None:
    """The first input of which something else stands now than a marker says that was read; unknown is no change."""
    by_name = {one.bound.name: one for one in ready}
    for read in marker.lineage or ():
        one = by_name.get(read["input"])
        stands = None if one is None else one.standing.checksums
        if stands is not None and stands.get(read["artifact"]) != read["sha256"]:
            return read["input"]
    return None


@frozen(eq=False)
class TaskInputs:
    """The inputs of one task while it runs; ``on_changed`` is told of an input that was done anew meanwhile."""

    ready: Mapping[str, ReadyInput]
    on_changed: Callable[[InputChanged], None]
    _read: dict[tuple[str, str], Read] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def read(self) -> tuple[Read, ...]:
        """What was read so far, by input and artifact."""
        with self._lock:
            return tuple(self._read[key] for key in sorted(self._read))

    def volume(self, name: str) -> TaskInput:
        """The input of this name.

        Raises:
            ValueError: the job type declares none.
        """
        if name not in self.ready:
            raise ValueError(
                f"the job type declares no input {name!r} (it has: {', '.join(self.ready) or 'none'})"
            )
        return TaskInput(self, self.ready[name])

    def note(self, read: Read) -> None:
        """Note what was read; twice the same artifact with two contents is a change."""
        with self._lock:
            before = self._read.setdefault((read.input, read.artifact), read)
        if before.sha256 != read.sha256:
            self.changed(read.input, read.job)

    def changed(self, name: str, job_name: str) -> None:
        """Stop the task: an input changed.

        Raises:
            InputChanged: always.
        """
        error = InputChanged(f"its input {name} ({job_name}) was done anew while it was read")
        self.on_changed(error)
        raise error

    def check_declared(self) -> None:
        """See that each input lists what the job declared to read.

        Raises:
            InputArtifactMissing: it does not.
        """
        for one in self.ready.values():
            listed = one.standing.checksums
            for suffix in one.bound.artifacts:
                if listed is not None and one.folder.basename + suffix not in listed:
                    raise one.missing(suffix)

    def check_unchanged(self) -> None:
        """See that what was read still stands.

        Raises:
            InputChanged: some of it does not.
        """
        for name, one in self.ready.items():
            read = [noted for noted in self.read if noted.input == name]
            if not read:
                continue
            now = one.folder.marker()
            if now is not None and now.etag == one.standing.etag:
                continue
            stands = (now.checksums if now else None) or {}
            if any(stands.get(noted.artifact) != noted.sha256 for noted in read):
                self.changed(name, one.job)


@frozen(eq=False)
class TaskInput:
    """An :class:`~bec_core.job.InputVolume` of a running task."""

    _inputs: TaskInputs
    _ready: ReadyInput

    @property
    def job(self) -> str:
        """The name of the job that the input is bound to."""
        return self._ready.job

    @property
    def basename(self) -> str:
        """What its artifacts' names begin with."""
        return self._ready.basename

    @property
    def marker(self) -> Mapping[str, Any]:
        """The content of its ``success.json``."""
        return self._ready.marker

    def read(self, suffix: str) -> bytes:
        """An artifact."""
        ready, name = self._ready, self.basename + suffix
        data = ready.read(suffix)
        digest = hashlib.sha256(data).hexdigest()
        listed = (ready.standing.checksums or {}).get(name)
        if listed is not None and listed != digest:
            self._stands_otherwise(name, digest)
        read = Read(ready.bound.name, ready.job, name, digest, ready.bound.job_id or 0, listed is not None)
        self._inputs.note(read)
        return data

    def open(self, suffix: str) -> BinaryIO:
        """An artifact, as a stream."""
        return io.BytesIO(self.read(suffix))

    def _stands_otherwise(self, name: str, digest: str) -> None:
        """An artifact is not what its marker lists: it is being done anew, or it is damaged."""
        ready = self._ready
        now = ready.folder.marker()
        if now is None or now.etag != ready.standing.etag:
            self._inputs.changed(ready.bound.name, self.job)
        raise RetryableTaskError(
            f"{name} of job {self.job} is not what its marker lists (SHA-256 {digest[:12]}…): it is being written anew,"
            f" or damaged; see: bec audit --job-name {self.job} --all"
        )


def tell_unlisted(database: Database, read: Sequence[Read], *, volume: Volume) -> None:
    """Remember the checksums of artifacts whose markers list none (the earlier system's), as they were read."""
    by_job: dict[int, dict[str, str]] = {}
    for one in read:
        if not one.listed:
            by_job.setdefault(one.job_id, {})[one.artifact] = one.sha256
    if not by_job:
        return
    with database.connection() as connection:
        volume_id = volumes.upsert(connection, volume)
        for job_id, checksums in by_job.items():
            inputs.remember_checksums(connection, job_id, volume_id, volume.etag, checksums)
    logger.debug("checksums that the markers of {} inputs don't list are known now", len(by_job))
