"""Asking a job for volumes: the ledger first, then the queue.

The ledger says what was asked. An entry whose message did not reach the queue (``sent_at`` is empty) is
sent by the next enqueueing that names it, so a crash in between loses nothing. One enqueueing of a job
runs at a time, so two at once don't send the same volume twice.

Doing again what is done (``force``) takes the marker away, and does so between the two: when that crashes,
the ledger already says that the volume waits, and the next enqueueing sends it. The row keeps saying done
until a worker claims the task; without a marker it may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from attrs import define, field, frozen

from bec_core.admin.session import Session
from bec_core.db import ledger, requeue, volumes
from bec_core.errors import ConflictError, TaskError
from bec_core.models import Job, JobStatus, VolumeRef, encode_message

if TYPE_CHECKING:
    from bec_core.queues import TaskQueue

SkipReason = Literal["named twice", "waiting already", "done at this version", "over the limit"]

_CHUNK = 5000
_LOOKUPS = 32


@frozen
class Enqueued:
    """What enqueueing did, or (dry run) would do."""

    sent: tuple[VolumeRef, ...]
    skipped: tuple[tuple[VolumeRef, SkipReason], ...] = ()
    refused: tuple[tuple[VolumeRef, str], ...] = field(default=())


@define
class _Tally:
    """What was decided so far."""

    sent: list[VolumeRef] = field(factory=list)
    skipped: list[tuple[VolumeRef, SkipReason]] = field(factory=list)
    refused: list[tuple[VolumeRef, str]] = field(factory=list)


def enqueue(
    session: Session,
    job: Job,
    refs: Sequence[VolumeRef],
    *,
    force: bool = False,
    dry_run: bool = False,
    limit: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Enqueued:
    """Ask ``job`` for volumes; skips what waits already and what is done at its current version.

    Args:
        force: also send what is done (its marker is deleted, so that it is done again) or waiting.
        dry_run: only say what would happen; nothing is written anywhere.
        limit: send at most this many.
        progress: called with the number of volumes handled so far.

    Raises:
        ConflictError: the job is cancelled: its messages would only be set aside.
    """
    if job.status is JobStatus.CANCELLED:
        raise ConflictError(f"job {job.name} is cancelled; to go on with it: bec jobs resume {job.name}")
    tally = _Tally()
    unique = list(dict.fromkeys(refs))
    tally.skipped += [(ref, "named twice") for ref in _repeated(refs)]
    if dry_run:
        _go_through(session, job, unique, tally, force=force, limit=limit, send=None, progress=progress)
    else:
        queue = session.queue(job.queue_url)
        with session.database.connection() as lock, ledger.enqueueing(lock, job.id):
            _go_through(session, job, unique, tally, force=force, limit=limit, send=queue, progress=progress)
    return Enqueued(tuple(tally.sent), tuple(tally.skipped), tuple(tally.refused))


def _go_through(
    session: Session,
    job: Job,
    refs: Sequence[VolumeRef],
    tally: _Tally,
    *,
    force: bool,
    limit: int | None,
    send: TaskQueue | None,
    progress: Callable[[int], None],
) -> None:
    for start in range(0, len(refs), _CHUNK):
        chunk = refs[start : start + _CHUNK]
        left = None if limit is None else limit - len(tally.sent)
        if left == 0:
            tally.skipped += [(ref, "over the limit") for ref in chunk]
            continue
        wanted, skipped = _choose(session, job, chunk, force=force)
        tally.skipped += skipped
        if left is not None:
            tally.skipped += [(ref, "over the limit") for ref in wanted[left:]]
            wanted = wanted[:left]
        if send is None:
            tally.sent += wanted
        elif wanted:
            _send(session, job, send, wanted, tally, force=force)
        progress(start + len(chunk))


def _send(
    session: Session, job: Job, queue: TaskQueue, wanted: Sequence[VolumeRef], tally: _Tally, *, force: bool
) -> None:
    with session.database.connection() as connection:
        ids = volumes.upsert_refs(connection, wanted)
        ledger.request(connection, job.id, list(zip(ids, wanted, strict=True)))
        requeue.free(connection, job.id, ids)  # what failed may be claimed again, whatever the clocks say
    if force:
        take_markers_away(session, job, wanted)
    failed = {
        failure.index: failure.reason for failure in queue.send([encode_message(ref) for ref in wanted])
    }
    with session.database.connection() as connection:
        ledger.mark_sent(connection, job.id, [one for n, one in enumerate(ids) if n not in failed])
    tally.sent += [ref for n, ref in enumerate(wanted) if n not in failed]
    tally.refused += [(wanted[n], reason) for n, reason in failed.items()]


def _repeated(refs: Iterable[VolumeRef]) -> list[VolumeRef]:
    seen: set[VolumeRef] = set()
    repeated = []
    for ref in refs:
        if ref in seen:
            repeated.append(ref)
        seen.add(ref)
    return repeated


def _choose(
    session: Session, job: Job, refs: Sequence[VolumeRef], *, force: bool
) -> tuple[list[VolumeRef], list[tuple[VolumeRef, SkipReason]]]:
    """Split into what to send and what to leave out, with the reason."""
    if force:
        return list(refs), []
    with session.database.connection() as connection:
        entries = ledger.lookup(connection, job.id, refs)
    skipped: dict[VolumeRef, SkipReason] = {}
    perhaps_done: list[tuple[VolumeRef, bytes]] = []
    for ref, entry in entries.items():
        if entry.state == "waiting":
            if entry.sent_at is not None:
                skipped[ref] = "waiting already"
        elif entry.done_etag is not None:
            perhaps_done.append((ref, entry.done_etag))
    with ThreadPoolExecutor(_LOOKUPS, "bec-lookup") as pool:
        current = pool.map(lambda one: _current_etag(session, one[0]), perhaps_done)
        for (ref, done_etag), etag in zip(perhaps_done, current, strict=True):
            if etag == done_etag:
                skipped[ref] = "done at this version"
    return [ref for ref in refs if ref not in skipped], [
        (ref, skipped[ref]) for ref in refs if ref in skipped
    ]


def _current_etag(session: Session, ref: VolumeRef) -> bytes | None:
    """The volume's version now; None where it can't be told (then the worker will)."""
    try:
        return session.sources.resolve(ref).etag
    except TaskError:
        return None


def take_markers_away(session: Session, job: Job, refs: Sequence[VolumeRef]) -> None:
    """Delete the markers of these volumes at their present versions, so that they are done again."""
    from bec_core.worker.publish import MARKER_NAME, TaskFolder

    def take_away(ref: VolumeRef) -> None:
        try:
            volume = session.sources.resolve(ref)
        except TaskError:
            return  # the worker will say what is wrong with it
        folder = TaskFolder(session.artifacts, job.artifact_root, volume)
        session.artifacts.delete(folder.key(MARKER_NAME))

    session.sources, session.artifacts  # noqa: B018 - opened once, not by the first of many threads
    with ThreadPoolExecutor(_LOOKUPS, "bec-marker") as pool:
        for _ in pool.map(take_away, refs):
            pass
