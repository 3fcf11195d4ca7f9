"""Marking jobs as paused, complete, cancelled or active, and deleting them."""

from __future__ import annotations

from attrs import evolve, frozen
from loguru import logger

from bec_core.admin.actions import record
from bec_core.admin.session import Session
from bec_core.db import canary
from bec_core.db import inputs as input_rows
from bec_core.db import jobs as rows
from bec_core.db.reads import job_contents
from bec_core.errors import BecError, ConflictError, NotFoundError
from bec_core.models import Job, JobStatus
from bec_core.queues.sweep import sweep
from bec_core.worker.parts import kept_of_job

_VERBS = {
    JobStatus.PAUSED: "pause",
    JobStatus.ACTIVE: "resume",
    JobStatus.COMPLETED: "complete",
    JobStatus.CANCELLED: "cancel",
}


def set_status(session: Session, job: Job, status: JobStatus) -> bool:
    """Mark a job; False if it was marked so already. Its workers follow within a heartbeat.

    One that goes on after its canary failed gets what that held back.
    """
    if job.status is status:
        return False
    held: int | None = None
    with session.database.connection() as connection:
        rows.set_status(connection, job.id, status)
        if status is JobStatus.ACTIVE:
            held = canary.release(connection, job.id, passed=False, only_failed=True)
        record(session, connection, job, _VERBS[status], before=job.status.value)
    if held:
        sweep(
            session.database, session.queue(job.queue_url), evolve(job, status=status), queue_was_empty=False
        )
    return True


@frozen
class Deletion:
    """What deleting a job takes with it; None where a queue can't be asked."""

    tasks: int
    ledger_entries: int
    live_workers: int
    messages: int | None
    dead_letters: int | None
    marks: int = 0


def deletion_of(session: Session, job: Job) -> Deletion:
    """What :func:`delete_job` would take with it."""
    with session.database.connection() as connection:
        contents = job_contents.of(connection, job.id)
    return Deletion(
        contents.tasks,
        contents.ledger_entries,
        contents.live_workers,
        _held(session, job.queue_url),
        _held(session, job.dlq_url),
        contents.marks,
    )


def _held(session: Session, url: str) -> int | None:
    try:
        stats = session.queue(url).stats()
    except NotFoundError:
        return None
    return stats.available + stats.in_flight + stats.delayed


def refuse_read(session: Session, job: Job) -> None:
    """Refuse to delete a job that others read.

    Raises:
        ConflictError: they do; the message names them and the ways out.
    """
    with session.database.connection() as connection:
        readers = input_rows.readers(connection, job.id)
    if readers:
        raise ConflictError(
            f"job {job.name} is read by {', '.join(readers)}, blocked without it: bind what reads it to another job"
            " (bec jobs update READER --input NAME=JOB), or say --unbind-readers"
        )


def delete_job(
    session: Session, job: Job, *, purge_queues: bool = False, unbind_readers: bool = False
) -> None:
    """Delete a job with its tasks, ledger and config revisions, and what is kept of unfinished volumes.

    Artifacts and markers stay.

    The queues stay too; ``purge_queues`` empties them first, so that a job created later under the same
    name does not meet this one's messages. ``unbind_readers``: the jobs that read it are left without that input.

    Raises:
        ConflictError: other jobs read it.
    """
    if not unbind_readers:
        refuse_read(session, job)
    if purge_queues:
        for url in (job.queue_url, job.dlq_url):
            try:
                session.queue(url).purge()
            except NotFoundError:
                logger.warning("there is no queue {} to empty", url)
    with session.database.connection() as connection:
        contents = job_contents.of(connection, job.id)
        rows.delete(connection, job.id)
        record(session, connection, job, "delete", contents.tasks, purged_queues=purge_queues)
    try:
        for kept in kept_of_job(session.artifacts, job.name):
            kept.folder.remove()
    except BecError as error:
        logger.warning("finished pages of unfinished volumes are left in the artifacts' store: {}", error)
