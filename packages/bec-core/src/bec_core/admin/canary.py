"""A job's canary, for those who look at the job: how it stands, judging it, letting the rest go all the same."""

from __future__ import annotations

from loguru import logger

from bec_core.admin.actions import record
from bec_core.admin.session import Session
from bec_core.db import canary
from bec_core.db.canary import Canary
from bec_core.errors import ConflictError, PluginError
from bec_core.models import Job
from bec_core.queues.sweep import sweep
from bec_core.worker.canary import Judged, judge

__all__ = ["Canary", "canary_of", "notice", "refuse_second", "release_all_the_same"]


def canary_of(session: Session, job: Job) -> Canary | None:
    """The job's canary, the latest; None: it never had one."""
    with session.database.reading() as connection:
        return canary.canary_of(connection, job.id)


def notice(session: Session, job: Job) -> Judged | None:
    """Judge the canary if all of it has ended, and send what that releases.

    Where the job's plugin is not installed nothing is known of its figures: that is left to its workers.
    """
    try:
        job_type = session.plugins.job_types.get(job.type)
    except PluginError as error:
        logger.debug("a canary of {} is left to its workers: {}", job.name, error)
        return None
    judged = judge(session.database, job, job_type.metrics) if job_type else None
    if judged is Judged.PASSED:
        sweep(session.database, session.queue(job.queue_url), job, queue_was_empty=False)
    return judged


def refuse_second(session: Session, job: Job) -> None:
    """Refuse a canary while another one holds volumes back.

    Raises:
        ConflictError: one does.
    """
    found = canary_of(session, job)
    if found is not None and found.holds:
        stands = "failed" if found.verdict else f"is out ({found.ended} of {found.volumes} ended)"
        raise ConflictError(
            f"a canary of job {job.name} {stands}, and holds {found.held} volumes back: wait for it"
            f" (bec jobs show {job.name}), or let the rest go: bec jobs resume {job.name} --without-canary"
        )


def release_all_the_same(session: Session, job: Job) -> int | None:
    """Let what the canary holds back go, whatever became of it; how many volumes, None: it holds none back."""
    with session.database.connection() as connection:
        held = canary.release(connection, job.id, passed=False)
        if held is None:
            return None
        record(session, connection, job, "release-held", held)
    sweep(session.database, session.queue(job.queue_url), job, queue_was_empty=False)
    return held
