"""SQL for reading what failed: groups, tasks, and which finished tasks have page errors."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from bec_core.db.requeue import ref_of
from bec_core.db.tasks import HANDED_BACK
from bec_core.models import TaskStatus, VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

FAILED = (TaskStatus.RETRYABLE_FAILED, TaskStatus.TERMINAL_FAILED)
_FAILED = ", ".join(f"'{one.value}'" for one in FAILED)  # as the index of failed tasks has it
_NOT_DONE = ", ".join(f"'{one.value}'" for one in TaskStatus if one is not TaskStatus.DONE)


@frozen
class FailureGroup:
    """Failures of one cause: same stage, error type and top frame; with the latest of them as an example."""

    fingerprint: str
    stage: str
    error_type: str
    tasks: int
    first_at: datetime | None
    last_at: datetime | None
    example_task: int
    example_message: str


def groups(
    connection: Connection, job_id: int | None, *, since: datetime | None = None, limit: int = 20
) -> list[FailureGroup]:
    """The groups of the tasks that stand as failed, the largest first; ``job_id`` None: of all jobs."""
    rows = connection.execute(
        f"""
        SELECT coalesce(error_fingerprint, '-'), coalesce(error_stage, '-'), coalesce(error_type, '-'), count(*),
               min(done_at), max(done_at), (array_agg(id ORDER BY done_at DESC NULLS LAST))[1],
               coalesce((array_agg(error_message ORDER BY done_at DESC NULLS LAST))[1], '')
        FROM task_executions t
        WHERE status IN ('retryable_failed', 'terminal_failed') AND NOT {HANDED_BACK}
          AND (%(job)s::int IS NULL OR job_id = %(job)s)
          AND (%(since)s::timestamptz IS NULL OR done_at >= %(since)s)
        GROUP BY 1, 2, 3 ORDER BY 4 DESC, 6 DESC NULLS LAST LIMIT %(limit)s
        """,
        {"job": job_id, "since": since, "limit": limit},
    )
    return [FailureGroup(*row) for row in rows]


@frozen
class FailedTask:
    """A task with what went wrong with it; ``root`` is the first folder of its artifacts."""

    id: int
    job_id: int
    job_name: str
    root: str
    ref: VolumeRef
    etag: bytes
    version: str | None
    status: TaskStatus
    attempt: int
    failures: int
    worker_id: int | None
    worker_name: str | None
    started_at: datetime | None
    done_at: datetime | None
    retry_at: datetime | None
    total_images: int | None
    nb_errors: int | None
    config_revision: int | None
    error_stage: str | None
    error_type: str | None
    error_message: str | None
    error_fingerprint: str | None
    error_traceback: str | None
    page_errors: list[dict[str, Any]] | None = field(default=None, repr=False)


_TASKS = """
    SELECT t.id, t.job_id, j.name,
           coalesce(t.artifact_root, CASE WHEN r.job_id IS NULL THEN j.config ELSE r.config END ->> 'artifact_prefix',
                    j.name),
           v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, t.s3_etag, t.version, t.status,
           t.attempt, t.failures, t.worker_id, w.worker_name, t.started_at, t.done_at, t.retry_at,
           t.total_images, t.nb_errors, t.config_revision, t.error_stage, t.error_type, t.error_message,
           t.error_fingerprint, t.error_traceback, t.page_errors
    FROM {tasks} t
    JOIN jobs j ON j.id = t.job_id
    JOIN volumes v ON v.id = t.volume_id
    LEFT JOIN job_config_revisions r ON (r.job_id, r.revision) = (t.job_id, t.config_revision)
    LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (t.job_id, t.volume_id)
    LEFT JOIN workers w ON w.worker_id = t.worker_id
"""


_BY_INDEX = "done_at DESC"  # as the index of done tasks has it, which knows no NULLS LAST
_SORTED = "done_at DESC NULLS LAST, id DESC"


def _latest(*choices: tuple[str, str]) -> bytes:
    """The tasks that ended last of those that one of the choices takes: a condition, and the order of its latest.

    They are chosen before anything is joined to them, and job by job, as the indexes are.
    """
    each = " UNION ALL ".join(
        f"""(
            SELECT * FROM task_executions t
            WHERE job_id = one.id AND {condition} AND (%(since)s::timestamptz IS NULL OR done_at >= %(since)s)
            ORDER BY {order} LIMIT %(limit)s
        )"""
        for condition, order in choices
    )
    chosen = f"""(
        SELECT found.* FROM jobs one CROSS JOIN LATERAL ({each}) found
        WHERE %(job)s::int IS NULL OR one.id = %(job)s
        ORDER BY found.done_at DESC NULLS LAST, found.id DESC LIMIT %(limit)s
    )"""
    return (_TASKS.format(tasks=chosen) + "ORDER BY t.done_at DESC NULLS LAST, t.id DESC").encode()


def _task(row: tuple[Any, ...]) -> FailedTask:
    task_id, job_id, job_name, root, w_id, i_id, source, i_version, etag, version, status, *rest = row
    ref = ref_of(w_id, i_id, source, i_version)
    return FailedTask(task_id, job_id, job_name, root, ref, etag, version, TaskStatus(status), *rest)


def failed_tasks(
    connection: Connection,
    job_id: int | None,
    *,
    status: TaskStatus | None = None,
    error_type: str | None = None,
    fingerprint: str | None = None,
    since: datetime | None = None,
    limit: int = 20,
) -> list[FailedTask]:
    """The tasks that stand as failed, the latest first."""
    rows = connection.execute(
        _latest(
            (
                f"""
                status IN ({_FAILED}) AND status = ANY(%(statuses)s::task_status[]) AND NOT {HANDED_BACK}
                AND (%(error_type)s::text IS NULL OR error_type = %(error_type)s)
                AND (%(fingerprint)s::text IS NULL OR error_fingerprint = %(fingerprint)s)
                """,
                _SORTED,
            )
        ),
        {
            "statuses": [status.value] if status else [one.value for one in FAILED],
            "job": job_id,
            "error_type": error_type,
            "fingerprint": fingerprint,
            "since": since,
            "limit": limit,
        },
    )
    return [_task(row) for row in rows]


def task(connection: Connection, task_id: int) -> FailedTask | None:
    """The task of this id, failed or not."""
    row = connection.execute(
        _TASKS.format(tasks="task_executions") + "WHERE t.id = %s", (task_id,)
    ).fetchone()
    return _task(row) if row else None


def tasks_with_page_errors(
    connection: Connection, job_id: int | None, *, since: datetime | None = None, limit: int = 20
) -> list[FailedTask]:
    """Tasks some of whose pages failed, finished or failed, the latest first."""
    rows = connection.execute(
        _latest(
            ("status = 'done' AND nb_errors > 0 AND done_at IS NOT NULL", _BY_INDEX),
            ("status = 'done' AND nb_errors > 0 AND done_at IS NULL", _SORTED),
            (f"status IN ({_NOT_DONE}) AND nb_errors > 0 AND page_errors IS NOT NULL", _SORTED),
        ),
        {"job": job_id, "since": since, "limit": limit},
    )
    return [_task(row) for row in rows]
