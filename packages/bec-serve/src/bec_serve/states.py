"""How a job is, in a word and a tone that tell an operator at the first glance whether to do something."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bec_core.admin.health import JobHealth, Trouble
from bec_core.admin.statistics import Progress
from bec_core.models import Job, JobStatus


@frozen
class State:
    """A word, and its tone: ``good``, ``look``, ``bad`` or ``plain``."""

    word: str
    tone: str


@frozen
class Verdict:
    """What is said first: whether to get up, and why."""

    heading: str
    tone: str
    troubles: tuple[Trouble, ...]


def verdict(found: Sequence[JobHealth]) -> Verdict:
    """The verdict over jobs, by the rules of ``bec health``."""
    troubles = tuple(trouble for one in found for trouble in one.troubles)
    if not found:
        return Verdict("No job is open", "plain", ())
    if not troubles:
        return Verdict("All well", "good", ())
    return Verdict("Look at it", "bad", troubles)


def state(job: Job, progress: Progress, troubles: Sequence[Trouble]) -> State:
    """How a job is."""
    if job.status in (JobStatus.COMPLETED, JobStatus.CANCELLED):
        return State(job.status.value, "plain")
    if troubles:
        return State("look at it", "bad")
    if job.status is JobStatus.PAUSED:
        return State("paused", "look")
    if not progress.asked:
        return State("nothing asked for", "plain")
    if not progress.waiting + progress.running:
        return _without_work(progress)
    if not progress.live_workers:
        return State("waits for workers", "look")
    return State("at work" if progress.running else "workers are there", "good")


def _without_work(progress: Progress) -> State:
    if progress.held:
        return State("held by its canary", "look")
    if progress.blocked:
        return State("waits for its inputs", "plain")
    if progress.failed:
        return State(f"done but for {progress.failed:,} failed", "look")
    return State("done", "good")
