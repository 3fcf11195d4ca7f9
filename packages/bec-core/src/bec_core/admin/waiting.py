"""Whether a job has something to do for a worker that is not there yet; costs next to nothing to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.admin.canary import notice
from bec_core.admin.statistics import what_is_left
from bec_core.models import JobStatus

if TYPE_CHECKING:
    from bec_core.admin.session import Session
    from bec_core.models import Job

LOOK_S = 15.0
"""The longest pause between two looks."""

LEAST_S = 0.1
"""The shortest."""


@frozen
class Outlook:
    """What a worker would meet: why there is nothing to do, and when to look again; ``pause_s`` None: there is.

    ``nothing_left``: neither now nor later, unless somebody asks for more.
    """

    why: str = ""
    pause_s: float | None = None
    nothing_left: bool = False


def outlook(session: Session, job: Job) -> Outlook:
    """Whether a worker of the job would have something to do: by the ledger, or by messages that it knows nothing of.

    A cancelled job has: its messages are to be set aside.
    """
    if job.status in (JobStatus.PAUSED, JobStatus.COMPLETED):
        return Outlook(f"job {job.name} is {job.status.value}", LOOK_S)
    left = what_is_left(session, job)
    if job.status is not JobStatus.CANCELLED and (left.due or left.ready):
        return Outlook()
    if left.held and not left.total and notice(session, job):  # else nobody would, before there is a worker
        return Outlook(f"the canary of job {job.name} was judged", LEAST_S)
    if session.queue(job.queue_url).stats().available:
        return Outlook()
    if job.status is JobStatus.CANCELLED or left.over:
        return Outlook(
            f"nothing is left to do for job {job.name}: waiting for more", LOOK_S, nothing_left=True
        )
    pause = LOOK_S if left.next_s is None else min(LOOK_S, left.next_s)
    return Outlook(
        f"volumes of job {job.name} wait that can't be worked on yet (in back-off, running elsewhere, blocked, or held"
        " back)",
        max(LEAST_S, pause),
    )
