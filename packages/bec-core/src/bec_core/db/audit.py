"""SQL for comparing what the database says of a job with what is elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from bec_core.db.requeue import ref_of
from bec_core.models import TaskStatus, VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

_PREFETCH = 5000


@frozen
class TaskState:
    """A task's row: ``leased`` while a worker may be at it, ``latest`` if no task of the volume started later.

    ``root`` is the first folder of its artifacts, None where its row does not say.
    """

    id: int
    volume_id: int
    ref: VolumeRef
    etag: bytes
    version: str | None
    status: TaskStatus
    leased: bool
    latest: bool
    root: str | None = None
    recipe: str | None = None
    request: int = 0


def tasks(connection: Connection, job_id: int) -> Iterator[TaskState]:
    """Every task of the job, streamed."""
    with connection.cursor(name="audit_tasks") as cursor:
        cursor.itersize = _PREFETCH
        cursor.execute(
            """
            SELECT t.id, t.volume_id, v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, t.s3_etag, t.version, t.status,
                   coalesce(t.lease_expires_at > statement_timestamp(), false),
                   row_number() OVER (PARTITION BY t.volume_id ORDER BY t.started_at DESC NULLS LAST, t.id DESC) = 1,
                   t.artifact_root, t.recipe, t.request
            FROM task_executions t JOIN volumes v ON v.id = t.volume_id
            LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (t.job_id, t.volume_id)
            WHERE t.job_id = %s AND t.collected_at IS NULL
            """,
            (job_id,),
        )
        for row in cursor:
            yield _task(row)


def _task(row: tuple[Any, ...]) -> TaskState:
    task_id, volume_id, w_id, i_id, source, i_version, etag, version, status, leased, latest, *rest = row
    ref = ref_of(w_id, i_id, source, i_version)
    return TaskState(task_id, volume_id, ref, bytes(etag), version, TaskStatus(status), leased, latest, *rest)


@frozen
class LedgerState:
    """A ledger entry: ``settled`` if its message was sent so long ago that every queue must know of it."""

    volume_id: int
    ref: VolumeRef
    state: str
    sent_at: datetime | None
    settled: bool
    request: int = 0


def ledger(connection: Connection, job_id: int, *, settled_after_s: float) -> list[LedgerState]:
    """Every ledger entry of the job."""
    rows = connection.execute(
        """
        SELECT l.volume_id, v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, l.state, l.sent_at,
               coalesce(l.sent_at, l.requested_at) < statement_timestamp() - make_interval(secs => %s),
               l.request
        FROM ledger l JOIN volumes v ON v.id = l.volume_id WHERE l.job_id = %s ORDER BY l.volume_id
        """,
        (settled_after_s, job_id),
    )
    return [LedgerState(r[0], ref_of(r[1], r[2], r[3], r[4]), r[5], r[6], r[7], r[8]) for r in rows]


def roots(connection: Connection, job_id: int) -> list[str]:
    """The first folders in which the job's artifacts lie: as its rows say, and by its present and earlier configs."""
    rows = connection.execute(
        """
        SELECT coalesce(configs.config ->> 'artifact_prefix', j.name)
        FROM jobs j CROSS JOIN LATERAL (
            SELECT j.config UNION SELECT r.config FROM job_config_revisions r WHERE r.job_id = j.id
        ) configs (config)
        WHERE j.id = %(job)s
        UNION SELECT artifact_root FROM jobs WHERE id = %(job)s AND artifact_root IS NOT NULL
        UNION SELECT artifact_root FROM task_executions WHERE job_id = %(job)s AND artifact_root IS NOT NULL
        ORDER BY 1
        """,
        {"job": job_id},
    )
    return [row[0] for row in rows]


def queued_bodies(connection: Connection, queue_name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Body and attributes of every message of a PostgreSQL queue, hidden or not."""
    with connection.cursor(name="audit_messages") as cursor:
        cursor.itersize = _PREFETCH
        cursor.execute(
            "SELECT m.body, m.attributes FROM queue_messages m JOIN queues q ON q.id = m.queue_id WHERE q.name = %s",
            (queue_name,),
        )
        yield from cursor
