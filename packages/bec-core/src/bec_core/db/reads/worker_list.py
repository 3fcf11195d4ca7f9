"""SQL for reading which workers live, what they do and what they have done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class WorkerRow:
    """A worker: ``heartbeat_s`` is its heartbeat's age in seconds by the server's clock, ``activity`` the
    tasks it had at hand then (``task_id``, ``volume``, ``attempt``, ``pages_done``, of which
    ``pages_resumed`` by earlier attempts, ``pages_total``, ``seconds``)."""

    id: int
    name: str
    hostname: str
    process: str | None
    job_id: int | None
    job_name: str | None
    tags: Mapping[str, Any]
    started_at: datetime
    last_heartbeat_at: datetime
    stopped_at: datetime | None
    heartbeat_s: float
    activity: tuple[Mapping[str, Any], ...]


_WORKERS = """
    SELECT w.worker_id, w.worker_name, w.hostname, w.process, w.job_id, j.name, w.tags, w.started_at,
           w.last_heartbeat_at, w.stopped_at,
           extract(epoch FROM statement_timestamp() - w.last_heartbeat_at)::float8, w.activity
    FROM workers w LEFT JOIN jobs j ON j.id = w.job_id
"""


_UNKNOWN = {
    "task_id": None,
    "volume": "-",
    "attempt": None,
    "pages_done": 0,
    "pages_resumed": 0,
    "pages_total": 0,
    "seconds": 0.0,
}
"""What is taken for a figure that a worker of another version does not give."""


def _worker(row: tuple[Any, ...]) -> WorkerRow:
    values = list(row)
    values[-1] = tuple(
        {**_UNKNOWN, **{name: value for name, value in entry.items() if value is not None}}
        for entry in row[-1]
    )
    return WorkerRow(*values)


def workers(
    connection: Connection, job_id: int | None, *, seen_within_s: float, limit: int
) -> list[WorkerRow]:
    """The workers that were heard of lately: those not stopped first, then the latest heard of."""
    rows = connection.execute(
        f"""
        {_WORKERS}
        WHERE (%(job)s::int IS NULL OR w.job_id = %(job)s)
          AND w.last_heartbeat_at > statement_timestamp() - make_interval(secs => %(within)s)
        ORDER BY w.stopped_at IS NOT NULL, w.last_heartbeat_at DESC, w.worker_id DESC LIMIT %(limit)s
        """,
        {"job": job_id, "within": seen_within_s, "limit": limit},
    )
    return [_worker(row) for row in rows]


def standing(connection: Connection, job_id: int | None, *, limit: int) -> list[WorkerRow]:
    """The workers (of all jobs, or of one) that did not stop, those heard of longest ago first."""
    rows = connection.execute(
        f"""
        {_WORKERS}
        WHERE w.stopped_at IS NULL AND w.job_id IS NOT NULL AND (%(job)s::int IS NULL OR w.job_id = %(job)s)
        ORDER BY w.last_heartbeat_at, w.worker_id LIMIT %(limit)s
        """,
        {"job": job_id, "limit": limit},
    )
    return [_worker(row) for row in rows]


def worker(connection: Connection, worker_id: int) -> WorkerRow | None:
    """The worker of this id."""
    row = connection.execute(f"{_WORKERS} WHERE w.worker_id = %s", (worker_id,)).fetchone()
    return _worker(row) if row else None


@frozen
class WorkerTotals:
    """What a worker has done: tasks by status, pages, failed pages, time at work (milliseconds, by the clock)."""

    by_status: Mapping[str, int]
    pages: int
    page_errors: int
    work_ms: float


def totals(connection: Connection, worker_id: int) -> WorkerTotals:
    """Add up the tasks that the worker had last."""
    rows = connection.execute(
        """
        SELECT status, count(*), coalesce(sum(total_images), 0), coalesce(sum(nb_errors), 0),
               coalesce(sum(wall_clock_duration_ms), 0)
        FROM task_executions WHERE worker_id = %s GROUP BY status ORDER BY status
        """,
        (worker_id,),
    ).fetchall()
    done = [row for row in rows if row[0] == "done"]
    return WorkerTotals(
        {row[0]: row[1] for row in rows},
        sum(row[2] for row in done),
        sum(row[3] for row in done),
        sum(row[4] for row in done),
    )
