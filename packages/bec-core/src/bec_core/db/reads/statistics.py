"""SQL for reading how a job stands: totals by status, progress, recent tasks, time by stage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from bec_core.db.tasks import HANDED_BACK
from bec_core.models import TaskStatus

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class StatusTotals:
    """The tasks of one status added up.

    ``clocked`` of them took ``sum_wall_clock_ms`` milliseconds together, each by the clock; ``timed_images`` pages
    have a page time, together ``sum_page_ms`` (page by page, over all threads). What never ran is in no mean.
    """

    status: TaskStatus
    count: int
    total_images: int
    total_errors: int
    sum_wall_clock_ms: float
    clocked: int
    sum_page_ms: float
    timed_images: int

    @property
    def avg_duration_ms(self) -> float | None:
        """What a task took by the clock, on average; None if none was timed."""
        return self.sum_wall_clock_ms / self.clocked if self.clocked else None


TOTALS = """
    SELECT status, count(*), coalesce(sum(total_images), 0), coalesce(sum(nb_errors), 0),
           coalesce(sum(wall_clock_duration_ms), 0)::float8, count(wall_clock_duration_ms),
           coalesce(sum(total_duration_ms), 0)::float8,
           coalesce(sum(total_images) FILTER (WHERE total_duration_ms IS NOT NULL), 0)
    FROM task_executions WHERE job_id = %s GROUP BY status ORDER BY status
"""
"""An index-only scan of ``task_executions_figures``, in parallel where the server allows it."""


def totals(connection: Connection, job_id: int) -> list[StatusTotals]:
    """A row for every status that tasks of the job have, in the enum's order; without those that were handed back."""
    found = [StatusTotals(TaskStatus(row[0]), *row[1:]) for row in connection.execute(TOTALS, (job_id,))]
    if all(one.status is not TaskStatus.RETRYABLE_FAILED for one in found):
        return found
    row = connection.execute(
        f"SELECT count(*) FROM task_executions t WHERE job_id = %s AND {HANDED_BACK}", (job_id,)
    ).fetchone()
    assert row is not None
    counted = [
        evolve(one, count=one.count - row[0]) if one.status is TaskStatus.RETRYABLE_FAILED else one
        for one in found
    ]
    return [one for one in counted if one.count]


def worker_seconds(connection: Connection, job_id: int) -> float:
    """How long workers of this job have run, added up; one that died ran until its last heartbeat."""
    row = connection.execute(
        "SELECT coalesce(sum(extract(epoch FROM coalesce(stopped_at, last_heartbeat_at) - started_at)), 0)::float8"
        " FROM workers WHERE job_id = %s",
        (job_id,),
    ).fetchone()
    assert row is not None
    return float(row[0])


def pages_waiting(connection: Connection, job_id: int) -> tuple[int, int]:
    """The pages of the waiting volumes whose number of pages is known, and how many volumes' is not."""
    row = connection.execute(
        "SELECT coalesce(sum(v.nb_images), 0), count(*) FILTER (WHERE v.nb_images IS NULL)"
        " FROM ledger l JOIN volumes v ON v.id = l.volume_id WHERE l.job_id = %s AND l.state = 'waiting'",
        (job_id,),
    ).fetchone()
    assert row is not None
    return row[0], row[1]


@frozen
class StageFigures:
    """One step of the work, over the latest tasks: its time (all threads, milliseconds), and the pages it failed."""

    stage: str
    total_ms: float
    pages: int
    errors: int


def stages(connection: Connection, job_id: int, *, latest: int) -> list[StageFigures]:
    """Time and page errors by stage over the ``latest`` finished tasks, the longest first."""
    rows = connection.execute(
        """
        WITH latest AS (
            SELECT stage_ms, errors_by_stage, total_images FROM task_executions
            WHERE job_id = %s AND status = 'done' ORDER BY done_at DESC LIMIT %s
        ), spent AS (
            SELECT key AS stage, sum(value::float8) AS ms, sum(total_images) AS pages
            FROM latest, jsonb_each_text(stage_ms) GROUP BY key
        ), failed AS (
            SELECT key AS stage, sum(value::int) AS errors FROM latest, jsonb_each_text(errors_by_stage) GROUP BY key
        )
        SELECT stage, coalesce(ms, 0), coalesce(pages, 0), coalesce(errors, 0)
        FROM spent FULL JOIN failed USING (stage) ORDER BY 2 DESC, 1
        """,
        (job_id, latest),
    )
    return [StageFigures(*row) for row in rows]


@frozen
class MetricTotal:
    """A metric over ``volumes`` done tasks: its sum, or its mean weighed by another; None where none has it."""

    name: str
    value: float | None
    volumes: int


def metrics(
    connection: Connection, job_id: int, declared: Sequence[tuple[str, str | None]]
) -> list[MetricTotal]:
    """Each declared metric (name, weight) over the job's done tasks, in the order of the declaration."""
    rows = connection.execute(
        """
        WITH given AS (
            SELECT metrics FROM task_executions WHERE job_id = %s AND status = 'done' AND metrics IS NOT NULL
        ), by_task AS (
            SELECT d.place, d.name, d.weight, (g.metrics ->> d.name)::float8 AS value,
                   CASE WHEN d.weight IS NULL THEN 1 ELSE (g.metrics ->> d.weight)::float8 END AS weighs
            FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS d (name, weight, place) LEFT JOIN given g ON true
        )
        SELECT name, CASE WHEN weight IS NULL THEN sum(value) ELSE sum(value * weighs) / nullif(sum(weighs), 0) END,
               count(value)
        FROM (SELECT place, name, weight, value, CASE WHEN value IS NOT NULL THEN weighs END AS weighs FROM by_task
              WHERE value IS NULL OR weighs IS NOT NULL) counted
        GROUP BY place, name, weight ORDER BY place
        """,
        (job_id, [name for name, _ in declared], [weight for _, weight in declared]),
    )
    return [MetricTotal(*row) for row in rows]


def metric_counts(connection: Connection, job_id: int, names: Sequence[str]) -> dict[str, dict[float, int]]:
    """How many of the job's done tasks have which value of these metrics, by the metrics' names."""
    rows = connection.execute(
        """
        SELECT name, (metrics ->> name)::float8, count(*)
        FROM task_executions, unnest(%s::text[]) name
        WHERE job_id = %s AND status = 'done' AND metrics ? name GROUP BY 1, 2 ORDER BY 1, 2
        """,
        (list(names), job_id),
    )
    counts: dict[str, dict[float, int]] = {name: {} for name in names}
    for name, value, number in rows:
        counts[name][value] = number
    return counts


@frozen
class TaskRow:
    """A task for a listing; ``duration_s`` by the clock, None where that is not known. ``handed_back``: it was
    interrupted, and nothing failed; ``pages_resumed`` pages of its last attempt were finished by earlier ones."""

    id: int
    w_id: str
    i_id: str
    version: str | None
    status: TaskStatus
    attempt: int
    failures: int
    total_images: int | None
    nb_errors: int | None
    duration_s: float | None
    worker_id: int | None
    worker_name: str | None
    started_at: datetime | None
    done_at: datetime | None
    config_revision: int | None
    error_stage: str | None
    error_type: str | None
    error_message: str | None
    handed_back: bool
    pages_resumed: int


def recent_tasks(
    connection: Connection, job_id: int, *, limit: int, status: TaskStatus | None = None
) -> list[TaskRow]:
    """The tasks that started last, newest first; those that never did (a marker made their row) come last."""
    found = _started(connection, job_id, "started_at IS NOT NULL", limit, status)
    if len(found) < limit:
        found += _started(connection, job_id, "started_at IS NULL", limit - len(found), status)
    return found


def _started(
    connection: Connection, job_id: int, which: str, limit: int, status: TaskStatus | None
) -> list[TaskRow]:
    """In the index's order: sorted with those that never started, all tasks would be read."""
    rows = connection.execute(
        f"""
        SELECT t.id, v.bdrc_w_id, v.bdrc_i_id, t.version, t.status, t.attempt, t.failures, t.total_images,
               t.nb_errors, t.wall_clock_duration_ms / 1000, t.worker_id,
               w.worker_name, t.started_at, t.done_at, t.config_revision, t.error_stage, t.error_type,
               t.error_message, {HANDED_BACK}, t.pages_resumed
        FROM (
            SELECT * FROM task_executions
            WHERE job_id = %(job_id)s AND {which} {"AND status = %(status)s" if status else ""}
            ORDER BY started_at DESC, id DESC LIMIT %(limit)s
        ) t JOIN volumes v ON v.id = t.volume_id
        LEFT JOIN workers w ON w.worker_id = t.worker_id
        ORDER BY t.started_at DESC, t.id DESC
        """,
        {"job_id": job_id, "limit": limit, "status": status.value if status else None},
    )
    return [_task(row) for row in rows]


def _task(row: tuple[Any, ...]) -> TaskRow:
    task_id, w_id, i_id, version, status, *rest = row
    return TaskRow(task_id, w_id, i_id, version, TaskStatus(status), *rest)
