"""Is a job well? Rules over its figures, for alarms and for the screen; each trouble with its remedy.

The rules are functions of figures and thresholds alone; :mod:`bec_core.db.reads.health` reads the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from attrs import field, frozen

from bec_core.admin.session import Session
from bec_core.db import jobs
from bec_core.db.reads import health
from bec_core.db.reads.ended import Cause
from bec_core.db.reads.health import Figures, PageErrorRate
from bec_core.models import Job, JobStatus
from bec_core.words import ago, count

__all__ = [
    "Cause", "Figures", "JobHealth", "Kind", "PageErrorRate", "Thresholds", "Trouble", "healths", "open_jobs",
    "troubles",
]  # fmt: skip

_MESSAGE = 120  # characters of an error's message in a trouble's line


class Kind(StrEnum):
    """The troubles there are, in the order in which they are told."""

    BRAKE = "brake"
    WORKERS_GONE = "workers-gone"
    FEEDER_GONE = "feeder-gone"
    STANDSTILL = "standstill"
    ONE_CAUSE = "one-cause"
    DEAD_LETTERS = "dead-letters"
    PAGE_ERRORS = "page-errors"


@frozen(kw_only=True)
class Thresholds:
    """When a figure is a trouble; times in seconds.

    Attributes:
        workers_gone_s: volumes wait, and no worker was heard of for so long.
        feeder_gone_s: volumes wait, and the feeder that the job has was not heard of for so long.
        standstill_s: workers live and volumes wait or run, and not one ended for so long.
        dead_letters: so many volumes were given up within ``dead_letters_within_s``.
        dead_letters_within_s: see there.
        latest: so many volumes that ended last are looked at, if they ended within ``ended_within_s``.
        ended_within_s: see there.
        least: fewer of these tell nothing.
        one_cause: this share of these failed by one cause.
        drift: their share of failed pages is so many times that of the volumes before them …
        drift_from: … and at least this.
    """

    workers_gone_s: float = 600.0
    feeder_gone_s: float = 600.0
    standstill_s: float = 3600.0
    dead_letters: int = 5
    dead_letters_within_s: float = 3600.0
    latest: int = 40
    ended_within_s: float = 86400.0
    least: int = 20
    one_cause: float = 0.2
    drift: float = 3.0
    drift_from: float = 0.01


@frozen
class Trouble:
    """Something that is wrong with a job, in one line, and what to do about it."""

    job: str
    kind: Kind
    text: str
    remedy: str


@frozen
class JobHealth:
    """A job with its figures and what is wrong with it."""

    job: Job
    figures: Figures = field(repr=False)
    troubles: tuple[Trouble, ...]


_BEFORE = 1000  # so many volumes are the job's past, at most


def open_jobs(session: Session) -> list[Job]:
    """The jobs that somebody may work on: active and paused ones."""
    with session.database.reading() as connection:
        return [
            job for job in jobs.list_all(connection) if job.status in (JobStatus.ACTIVE, JobStatus.PAUSED)
        ]


def healths(session: Session, of: Sequence[Job], thresholds: Thresholds) -> list[JobHealth]:
    """How each of these jobs is."""
    found = []
    for job in of:
        with session.database.reading() as connection:
            figures = health.figures(
                connection,
                job.id,
                at_work_within_s=thresholds.standstill_s,
                given_up_within_s=thresholds.dead_letters_within_s,
                ended_within_s=thresholds.ended_within_s,
                latest=thresholds.latest,
                before=_BEFORE,
            )
        found.append(JobHealth(job, figures, tuple(troubles(job, figures, thresholds))))
    return found


def troubles(job: Job, figures: Figures, thresholds: Thresholds) -> list[Trouble]:
    """What is wrong with the job, by its figures; nothing is wrong with a job that is over."""
    if job.status not in (JobStatus.ACTIVE, JobStatus.PAUSED):
        return []
    return [found for rule in _RULES if (found := rule(job, figures, thresholds))]


# -- the rules -----------------------------------------------------------------------------------------------


def braked(job: Job, figures: Figures, thresholds: Thresholds) -> Trouble | None:
    """It was paused by its workers, or by its feeder."""
    if job.brake_reason is None:
        return None
    return Trouble(
        job.name, Kind.BRAKE, f"it was paused by itself: {job.brake_reason}", f"bec jobs resume {job.name}"
    )


def workers_gone(job: Job, figures: Figures, thresholds: Thresholds) -> Trouble | None:
    """Volumes wait, and for some time there has been no worker that could take them."""
    backlog = figures.backlog
    if job.status is not JobStatus.ACTIVE or not backlog.total or backlog.live_workers:
        return None
    for_s = _since_all(figures.changed_s, figures.asked_s, figures.heard_s)
    if for_s < thresholds.workers_gone_s:
        return None
    heard = (
        "none was ever heard of"
        if figures.heard_s is None
        else f"the last was heard of {ago(figures.heard_s)} ago"
    )
    return Trouble(
        job.name,
        Kind.WORKERS_GONE,
        f"no worker lives while {count(backlog.total, 'volume')} wait; {heard}",
        f"start workers: bec worker --job-name {job.name}; or bec jobs pause {job.name}",
    )


def feeder_gone(job: Job, figures: Figures, thresholds: Thresholds) -> Trouble | None:
    """Volumes wait, and the process that should send their messages has been silent for some time.

    Workers that live send in its place, but by no priority and only when they run dry; an empty fleet is told nothing.
    """
    feeder, waiting = figures.feeder, figures.backlog.waiting
    if job.status is not JobStatus.ACTIVE or feeder is None or not waiting:
        return None
    if _since_all(figures.changed_s, figures.asked_s, feeder.heartbeat_s) < thresholds.feeder_gone_s:
        return None
    heard = (
        "was never heard of"
        if feeder.heartbeat_s is None
        else f"was heard of {ago(feeder.heartbeat_s)} ago, on {feeder.by}"
    )
    return Trouble(
        job.name,
        Kind.FEEDER_GONE,
        f"{count(waiting, 'volume')} wait, and the job's feeder {heard}",
        f"start it: bec queue feed --job-name {job.name}; or do without: bec jobs update {job.name} --no-feed",
    )


def standstill(job: Job, figures: Figures, thresholds: Thresholds) -> Trouble | None:
    """Workers have been there for some time, volumes wait or run, and nothing has ended."""
    backlog = figures.backlog
    if job.status is not JobStatus.ACTIVE or not backlog.total or not backlog.live_workers:
        return None
    for_s = _since_all(figures.changed_s, figures.asked_s, figures.worked_s, figures.ended_s)
    if for_s < thresholds.standstill_s:
        return None
    return Trouble(
        job.name,
        Kind.STANDSTILL,
        f"no volume ended for {ago(for_s)} while {backlog.waiting} wait and {backlog.running} run,"
        f" with {count(backlog.live_workers, 'worker')} alive",
        f"see what they do: bec workers list --job-name {job.name}; bec queue stats --job-name {job.name}",
    )


def one_cause(job: Job, figures: Figures, thresholds: Thresholds) -> Trouble | None:
    """One cause fails a good part of what ended last."""
    cause = figures.cause
    if (
        cause is None
        or figures.ended < thresholds.least
        or cause.volumes < thresholds.one_cause * figures.ended
    ):
        return None
    message = cause.message.split("\n", 1)[0][:_MESSAGE]
    return Trouble(
        job.name,
        Kind.ONE_CAUSE,
        f"{cause.volumes} of the last {count(figures.ended, 'volume')} failed by one cause, {cause.fingerprint}"
        f" ({cause.stage}: {cause.error_type}: {message})",
        f"bec errors list --job-name {job.name} --fingerprint {cause.fingerprint}; once it is mended:"
        f" bec queue redrive --job-name {job.name} --fingerprint {cause.fingerprint}",
    )


def dead_letters(job: Job, figures: Figures, thresholds: Thresholds) -> Trouble | None:
    """Volumes are given up, one after the other."""
    if figures.given_up < thresholds.dead_letters:
        return None
    return Trouble(
        job.name,
        Kind.DEAD_LETTERS,
        f"{count(figures.given_up, 'volume')} given up within {ago(thresholds.dead_letters_within_s)}",
        f"bec errors top --job-name {job.name} --since {thresholds.dead_letters_within_s:.0f}s",
    )


def page_errors(job: Job, figures: Figures, thresholds: Thresholds) -> Trouble | None:
    """Of the pages of the volumes that ended last, more fail than did before."""
    recent, past = figures.recent, figures.past
    if min(recent.volumes, past.volumes) < thresholds.least:
        return None
    if recent.rate < thresholds.drift_from or recent.rate < thresholds.drift * past.rate:
        return None
    return Trouble(
        job.name,
        Kind.PAGE_ERRORS,
        f"{recent.rate:.1%} of the pages of the last {count(recent.volumes, 'volume')} failed;"
        f" of the {past.volumes} before: {past.rate:.1%}",
        f"bec errors top --job-name {job.name} --pages",
    )


def _since_all(*ages: float | None) -> float:
    """How long ago the last of these happened; what never did is left out."""
    return min(age for age in ages if age is not None)


_RULES: tuple[Callable[[Job, Figures, Thresholds], Trouble | None], ...] = (
    braked, workers_gone, feeder_gone, standstill, one_cause, dead_letters, page_errors,
)  # fmt: skip
