"""Entering into a job's ledger what it is asked for: who may, one at a time, and by which request."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.admin.wanted import LOOKUPS
from bec_core.artifacts import TaskFolder
from bec_core.db import blocking, feeding, ledger, requeue, volumes
from bec_core.db.connection import Connection
from bec_core.db.locks import ENQUEUEING, Held, only_one
from bec_core.errors import ConflictError, TaskError
from bec_core.models import Job, JobStatus, VolumeRef

CHUNK = 5000
"""So many volumes are entered in one transaction."""


def refuse_cancelled(job: Job) -> None:
    """Refuse to ask a cancelled job.

    Raises:
        ConflictError: it is cancelled.
    """
    if job.status is JobStatus.CANCELLED:
        raise ConflictError(f"job {job.name} is cancelled; to go on with it: bec jobs resume {job.name}")


def has_feeder(session: Session, job: Job) -> bool:
    """Whether the job's messages are sent by a feeder, not when it is asked."""
    with session.database.connection() as connection:
        return feeding.feeder_of(connection, job.id) is not None


def only_one_asks(session: Session, job: Job) -> AbstractContextManager[Held]:
    """Hold the lock of whoever asks the job for volumes."""
    return only_one(session.database, (ENQUEUEING, job.id), f"asking job {job.name} for volumes")


def enter_in(
    connection: Connection,
    job: Job,
    refs: Sequence[VolumeRef],
    *,
    raised: ledger.Raise | None = None,
    priority: int | None = None,
) -> list[tuple[int, VolumeRef]]:
    """Enter volumes in the caller's transaction: they wait, and may be claimed again, whatever the clocks say."""
    ids = volumes.upsert_refs(connection, refs)
    entries = list(zip(ids, refs, strict=True))
    ledger.request(connection, job.id, entries, raised=raised)
    if priority is not None:
        ledger.prioritise(connection, job.id, ids, priority)
    requeue.free(connection, job.id, ids)
    return entries


@frozen
class Entered:
    """Ledger entries by whether their messages are to be sent now."""

    waiting: tuple[tuple[int, VolumeRef], ...]
    blocked: tuple[VolumeRef, ...]


def enter(
    session: Session,
    job: Job,
    refs: Sequence[VolumeRef],
    held: Held,
    *,
    raising: bool,
    priority: int | None = None,
) -> Entered:
    """Enter volumes; those whose inputs are not done are blocked. ``raising``: only a new result is an answer."""
    raised = ledger.Raise(job.config_revision, _answered_by_markers(session, job, refs)) if raising else None
    with session.database.connection() as connection:
        held.confirm(connection)
        has_inputs = blocking.entering(connection, job.id)
        entries = enter_in(connection, job, refs, raised=raised, priority=priority)
        blocked = blocking.block(connection, job.id, [one for one, _ in entries]) if has_inputs else set()
    return Entered(
        tuple(entry for entry in entries if entry[0] not in blocked),
        tuple(ref for volume_id, ref in entries if volume_id in blocked),
    )


def _answered_by_markers(session: Session, job: Job, refs: Sequence[VolumeRef]) -> list[int]:
    """The numbers that markers of volumes answer of which this database knows nothing (the job was made anew, say)."""
    with session.database.connection() as connection:
        known = ledger.lookup(connection, job.id, refs)
    session.sources, session.artifacts  # noqa: B018 - opened once, not by the first of many threads

    def answered(ref: VolumeRef) -> int:
        if ref in known:
            return 0
        try:
            volume = session.sources.resolve(ref)
        except TaskError:
            return 0  # the worker will say what is wrong with it
        marker = TaskFolder(session.artifacts, job.artifact_root, volume).marker()
        return marker.request if marker else 0

    with ThreadPoolExecutor(LOOKUPS, "bec-marker") as pool:
        return list(pool.map(answered, refs))
