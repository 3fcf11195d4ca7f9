"""How a job stands: its tasks by status, its progress, its pace, what it costs."""

from __future__ import annotations

from attrs import frozen

from bec_core.admin.metrics import MetricFigure, declared
from bec_core.admin.session import Session
from bec_core.db import ledger
from bec_core.db.blocking import BlockedOn, blocked_on
from bec_core.db.left import Left, left
from bec_core.db.reads import statistics
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
    "job_statistics",
    "recent_tasks",
    "stage_figures",
    "what_is_left",
]

_WINDOW_S = 1800.0


@frozen
class Progress:
    """The volumes that the job was asked for, by what became of them; ``waiting`` are not running.

    ``pages_per_s`` is of the last half hour, None without a task finished in it; ``time_left_s`` is None
    when nothing runs, or nothing is known of the pages that wait. ``stale`` of those done were done by an older
    recipe than the newest that a worker declared (what is unknown is not counted), or from inputs that are others by
    now. ``blocked`` have an input that is not done; ``blocked_on`` says which, and how that stands.
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


@frozen
class Cost:
    """What workers have cost at a price per worker and hour, and will cost at the present pace."""

    hourly_price: float
    worker_hours: float
    so_far: float
    left: float | None


@frozen
class JobStatistics:
    """A job's figures; durations in milliseconds, None where no task was timed."""

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


def job_statistics(session: Session, job: Job, *, hourly_price: float | None = None) -> JobStatistics:
    """The figures of a job; ``hourly_price`` is what one worker costs an hour."""
    metrics = declared(session, job)
    with session.database.reading() as connection:
        by_status = statistics.totals(connection, job.id)
        pace = statistics.pace(connection, job.id, window_s=_WINDOW_S, alive_s=ALIVE_S)
        counts = ledger.counts(connection, job.id)
        stale = count_stale(connection, job.id)
        blocked = blocked_on(connection, job.id) if counts.get("blocked") else []
        known, unknown = statistics.pages_waiting(connection, job.id) if counts.get("waiting") else (0, 0)
        worked_s = statistics.worker_seconds(connection, job.id) if hourly_price is not None else 0.0
        figures = (
            statistics.metrics(connection, job.id, [(metric.name, metric.weight) for metric in metrics])
            if metrics
            else []
        )
    done = next((totals for totals in by_status if totals.status is TaskStatus.DONE), None)
    rate = pace.pages / pace.seconds if pace.pages and pace.seconds else None
    per_volume = done.total_images / done.count if done and done.count else None
    pages_left: int | None = known if not unknown else None
    if unknown and per_volume is not None:
        pages_left = known + round(unknown * per_volume)
    if pages_left is not None:
        pages_left = max(0, pages_left - pace.pages_at_hand)
    time_left = pages_left / rate if rate and pages_left is not None and pace.live_workers else None
    waiting = counts.get("waiting", 0)
    coming = any(one.waiting for one in blocked)  # nobody knows when what they wait for is done
    progress = Progress(
        asked=sum(counts.values()),
        done=counts.get("done", 0),
        running=pace.running,
        waiting=max(0, waiting - pace.running),
        failed=counts.get("failed", 0),
        live_workers=pace.live_workers,
        pages_left=pages_left,
        pages_per_s=rate,
        time_left_s=None if coming else time_left if waiting else 0.0 if counts else None,
        stale=stale,
        blocked=counts.get("blocked", 0),
        blocked_on=tuple(blocked),
    )
    images, timed = sum(t.total_images for t in by_status), sum(t.timed for t in by_status)
    spent = sum(t.sum_duration_ms for t in by_status)
    return JobStatistics(
        job=job,
        by_status=tuple(by_status),
        total_tasks=sum(t.count for t in by_status),
        total_images=images,
        total_errors=sum(t.total_errors for t in by_status),
        avg_duration_per_task_ms=spent / timed if timed else None,
        avg_duration_per_page_ms=spent / images if timed and images else None,
        progress=progress,
        cost=None if hourly_price is None else _cost(hourly_price, worked_s / 3600, progress),
        metrics=tuple(
            MetricFigure(metric, figure.value, figure.volumes)
            for metric, figure in zip(metrics, figures, strict=True)
        ),
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
