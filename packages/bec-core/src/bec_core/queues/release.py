"""Releasing what was blocked: sending the messages of volumes whose inputs are done.

Whoever finishes a task has released, in its transaction, what was blocked on it, and sends the messages afterwards
(:func:`send_released`). What a crash in between, an older worker or a marker without a row left blocked or unsent is
released by whoever looks next (:func:`release`): idle workers, enqueueing, an audit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from loguru import logger

from bec_core.archive.sources import Sources
from bec_core.artifacts import TaskFolder, remember
from bec_core.db import Database, blocking, feeding, inputs, ledger, volumes
from bec_core.db.blocking import BlockedVolume, Released
from bec_core.db.inputs import BoundInput
from bec_core.errors import BecError, TaskError
from bec_core.models import Job, JobStatus, encode_message
from bec_core.queues.base import TaskQueue
from bec_core.storage import Store

LOOK_AGAIN_S = 3600.0
"""A marker without a row may appear at any time; it is looked for again after so long."""

_LOOKUPS = 32
_CHUNK = 2000


def send_released(
    database: Database, open_queue: Callable[[str], TaskQueue], released: Sequence[Released]
) -> int:
    """Send the messages of what was released; returns how many. What can't be sent now is left to a sweep, what a
    feeder will send to that."""
    sent = 0
    for (job_id, url), group in groupby(
        sorted(released, key=lambda one: (one.job_id, one.queue_url)),
        key=lambda one: (one.job_id, one.queue_url),
    ):
        entries = list(group)
        with database.connection() as connection:
            if feeding.feeder_of(connection, job_id) is not None:
                continue  # its feeder sends them as workers come to them
        try:
            refused = open_queue(url).send([encode_message(one.ref) for one in entries])
        except BecError as error:
            logger.warning(
                "{} volumes can be done now, but their messages can't be sent: {}", len(entries), error
            )
            continue
        failed = {one.index for one in refused}
        done = [one.volume_id for n, one in enumerate(entries) if n not in failed]
        with database.connection() as connection:
            ledger.mark_sent(connection, job_id, done)
        sent += len(done)
    return sent


def release(
    database: Database,
    open_queue: Callable[[str], TaskQueue],
    job: Job,
    *,
    sources: Sources,
    store: Store,
    most_looked_at: int = _CHUNK,
) -> list[Released]:
    """Release what is blocked although its inputs are done, by whomever; their messages are sent.

    Args:
        database: where the ledger is.
        open_queue: opens a queue by its URL.
        job: the job whose volumes are blocked.
        sources: to learn the volumes' versions.
        store: where the inputs' markers lie.
        most_looked_at: look for the markers of so many volumes of which the database knows nothing; each is looked
            for once an hour.
    """
    if job.status is JobStatus.CANCELLED:
        return []
    found = _look_for_markers(database, open_queue, job, sources=sources, store=store, most=most_looked_at)
    while True:
        with database.connection() as connection:
            part = blocking.release_all(connection, job.id, limit=_CHUNK)
        send_released(database, open_queue, part)
        found += part
        if len(part) < _CHUNK:
            break
    if found:
        logger.info("{} volumes were blocked, and their inputs are done: released", len(found))
    return found


def _look_for_markers(
    database: Database,
    open_queue: Callable[[str], TaskQueue],
    job: Job,
    *,
    sources: Sources,
    store: Store,
    most: int,
) -> list[Released]:
    """Remember the markers of inputs that stand without a row; returns what that released of this job."""
    with database.connection() as connection:
        bound = [one for one in inputs.bound(connection, job.id) if one.job_id is not None]
        unknown = blocking.not_looked_at(connection, job.id, limit=most, again_after_s=LOOK_AGAIN_S)
    if not unknown:
        return []
    released: list[Released] = []

    def look(entry: BlockedVolume) -> list[Released]:
        return _remembered(database, entry, bound, sources=sources, store=store)

    with ThreadPoolExecutor(_LOOKUPS, "bec-release") as pool:
        for some in pool.map(look, unknown):
            released += some
    with database.connection() as connection:
        blocking.looked_at(connection, job.id, [entry.volume_id for entry in unknown])
    send_released(database, open_queue, released)
    return [one for one in released if one.job_id == job.id]


def _remembered(
    database: Database,
    entry: BlockedVolume,
    bound: Sequence[BoundInput],
    *,
    sources: Sources,
    store: Store,
) -> list[Released]:
    try:
        volume = sources.resolve(entry.ref)
    except TaskError:
        return []  # the job that it is blocked on will say what is wrong with it
    released: list[Released] = []
    for one in bound:
        folder = TaskFolder(store, str(one.artifact_root), volume)
        marker = folder.marker()
        if marker is None:
            continue
        with database.connection() as connection:
            found = remember(
                connection,
                marker,
                job_id=one.job_id or 0,
                volume_id=volumes.upsert(connection, volume),
                etag=volume.etag,
                version=volume.version,
                root=one.artifact_root,
            )
        released += found.released
    return released
