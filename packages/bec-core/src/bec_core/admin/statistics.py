"""How a job stands: its tasks by status, its progress, its pace, what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bec_core.admin.metrics import MetricFigure, counted, declared
from bec_core.admin.session import Session
from bec_core.db import ledger
from bec_core.db.backlog import backlog
from bec_core.db.blocking import BlockedOn, blocked_on
from bec_core.db.left import Left, left
from bec_core.db.pool import Connection
from bec_core.db.reads import statistics
from bec_core.db.reads.pace import pace
from bec_core.db.reads.statistics import StageFigures, StatusTotals, TaskRow
from bec_core.db.stale import count_stale
from bec_core.db.workers import ALIVE_S
from bec_core.models import Job, TaskStatus

__all__ = [
    "ALIVE_S",
    "BlockedOn",
    "Cost",
    "JobStatistics",
    "MetricFigure",
    "Progress",
    "StageFigures",
    "StatusTotals",
    "TaskRow",
    "job_progress",
    "job_statistics",
    "recent_tasks",
    "stage_figures",
    "what_is_left",
]


@frozen
class Progress:
    """The volumes that the job was asked for, by what became of them; ``waiting`` are not running.

    ``pages_per_s`` is of the last half hour, with the pages done of running volumes, None if there are none;
    ``time_left_s`` is None when nothing runs, or nothing is known of the pages that wait. ``stale`` of those done were
    done by an older recipe than the newest that a worker declared (what is unknown is not counted), or from inputs
    that are others by now. ``blocked`` have an input that is not done; ``blocked_on`` says which, and how that stands.
    ``held`` are held back by the job's canary.
    """

    asked: int
    done: int
    running: int
    waiting: int
    failed: int
    live_workers: int
    pages_left: int | None
    pages_per_s: float | None
    time_left_s: float | None
    stale: int = 0
    blocked: int = 0
    blocked_on: tuple[BlockedOn, ...] = ()
    held: int = 0


@frozen
class Cost:
    """What workers have cost at a price per worker and hour, and will cost at the present pace."""

    hourly_price: float
    worker_hours: float
    so_far: float
    left: float | None


@frozen
class JobStatistics:
    """A job's figures; times in milliseconds, None where no task was timed: a task's duration is by the clock, as in
    the list of tasks; a page's is its own, from its bytes to its record, while others were worked on beside it."""

    job: Job
    by_status: tuple[StatusTotals, ...]
    total_tasks: int
    total_images: int
    total_errors: int
    avg_duration_per_task_ms: float | None
    avg_duration_per_page_ms: float | None
    progress: Progress
    cost: Cost | None
    metrics: tuple[MetricFigure, ...] = ()


def job_statistics(
    session: Session, job: Job, *, hourly_price: float | None = None, with_metrics: bool = True
) -> JobStatistics:
    """The figures of a job; ``hourly_price`` is what one worker costs an hour.

    Without ``with_metrics`` those of its job type are left out, for which every task that is done must be read.
    """
    metrics = declared(session, job) if with_metrics else ()
    with session.database.reading() as connection:
        by_status = statistics.totals(connection, job.id)
        progress = job_progress(connection, job, by_status, stale=count_stale(connection, job.id))
        worked_s = statistics.worker_seconds(connection, job.id) if hourly_price is not None else 0.0
        figures = (
            statistics.metrics(connection, job.id, [(metric.name, metric.weight) for metric in metrics])
            if metrics
            else []
        )
        words = [metric.name for metric in metrics if metric.labels]
        by_word = statistics.metric_counts(connection, job.id, words) if words else {}
    clocked, timed_images = sum(t.clocked for t in by_status), sum(t.timed_images for t in by_status)
    return JobStatistics(
        job=job,
        by_status=tuple(by_status),
        total_tasks=sum(t.count for t in by_status),
        total_images=sum(t.total_images for t in by_status),
        total_errors=sum(t.total_errors for t in by_status),
        avg_duration_per_task_ms=sum(t.sum_wall_clock_ms for t in by_status) / clocked if clocked else None,
        avg_duration_per_page_ms=sum(t.sum_page_ms for t in by_status) / timed_images
        if timed_images
        else None,
        progress=progress,
        cost=None if hourly_price is None else _cost(hourly_price, worked_s / 3600, progress),
        metrics=tuple(
            counted(metric, by_word[metric.name])
            if metric.labels
            else MetricFigure(metric, figure.value, figure.volumes)
            for metric, figure in zip(metrics, figures, strict=True)
        ),
    )


def job_progress(
    connection: Connection, job: Job, by_status: Sequence[StatusTotals], *, stale: int = 0
) -> Progress:
    """How far a job is; the one reckoning that the statistics and the live screen show."""
    counts = ledger.counts(connection, job.id)
    now, speed = backlog(connection, job.id), pace(connection, job.id)
    blocked = blocked_on(connection, job.id) if now.blocked else []
    known, unknown = statistics.pages_waiting(connection, job.id) if counts.get("waiting") else (0, 0)
    done = next((totals for totals in by_status if totals.status is TaskStatus.DONE), None)
    per_volume = done.total_images / done.count if done and done.count else None
    pages_left: int | None = known if not unknown else None
    if unknown and per_volume is not None:
        pages_left = known + round(unknown * per_volume)
    if pages_left is not None:
        pages_left = max(0, pages_left - speed.pages_at_hand)
    rate = speed.pages_per_s
    time_left = pages_left / rate if rate and pages_left is not None and now.live_workers else None
    held = counts.get("held", 0)
    coming = held or any(one.waiting for one in blocked)  # nobody knows when what they wait for is done
    return Progress(
        asked=sum(counts.values()),
        done=counts.get("done", 0),
        running=now.running,
        waiting=now.waiting,
        failed=counts.get("failed", 0),
        live_workers=now.live_workers,
        pages_left=pages_left,
        pages_per_s=rate,
        time_left_s=None if coming else time_left if now.total else 0.0 if counts else None,
        stale=stale,
        blocked=now.blocked,
        blocked_on=tuple(blocked),
        held=held,
    )


def _cost(price: float, hours: float, progress: Progress) -> Cost:
    left = progress.time_left_s
    return Cost(
        price, hours, hours * price, None if left is None else left / 3600 * progress.live_workers * price
    )


def recent_tasks(
    session: Session, job: Job, *, limit: int, status: TaskStatus | None = None
) -> list[TaskRow]:
    """The tasks that started last, newest first."""
    with session.database.reading() as connection:
        return statistics.recent_tasks(connection, job.id, limit=limit, status=status)


def stage_figures(session: Session, job: Job, *, latest: int) -> list[StageFigures]:
    """Time and page errors by stage over the ``latest`` finished tasks."""
    with session.database.reading() as connection:
        return statistics.stages(connection, job.id, latest=latest)


def what_is_left(session: Session, job: Job) -> Left:
    """What waits in the job's ledger, by why."""
    with session.database.reading() as connection:
        return left(connection, job.id)
