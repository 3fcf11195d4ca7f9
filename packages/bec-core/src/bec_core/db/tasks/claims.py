"""Taking a task and keeping it: claims and leases."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import psycopg

from bec_core.db.tasks.values import Claim, Delivery, Failure, NotClaimed, Standing
from bec_core.errors import JobGone
from bec_core.models import TaskStatus

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


def claim(
    connection: Connection,
    *,
    job_id: int,
    volume_id: int,
    etag: bytes,
    version: str | None,
    worker_id: int | None,
    lease_s: float,
    config_revision: int,
    plugin_version: str,
    artifact_root: str | None = None,
    delivery: Delivery | None = None,
    asked_at: datetime | None = None,
    even_if_done: bool = False,
) -> Claim | NotClaimed:
    """Take the task: insert its row, or take it over when it is not done and nobody holds its lease.

    A row that says done is taken if the ledger's request is a later one than it answers, or with
    ``even_if_done`` (no marker stands for it, or none that counts).

    A task that had failed for good is taken, with nothing counted, if somebody asked for it since:
    its message was sent after the failure (``asked_at``; None: nobody knows when), or it was set free
    (no failures are counted against it). Otherwise the message is a duplicate, or its worker died before
    it could set it aside; the answer says why the task failed.

    A lease that ran out is counted in ``lost``, unless that attempt got further than all before it.

    A claim's commit is waited for: were it lost in a crash of the server, two workers could get one epoch.

    Raises:
        JobGone: the job was deleted.
    """
    values = {
        "job_id": job_id,
        "volume_id": volume_id,
        "etag": etag,
        "version": version,
        "worker_id": worker_id,
        "lease_s": lease_s,
        "config_revision": config_revision,
        "plugin_version": plugin_version,
        "artifact_root": artifact_root,
        "message_id": delivery.message_id if delivery else None,
        "receipt": delivery.receipt if delivery else None,
        "asked_at": asked_at,
        "even_if_done": even_if_done,
    }
    try:
        row = connection.execute(_CLAIM, values).fetchone()
    except psycopg.errors.ForeignKeyViolation as error:
        raise JobGone(f"job {job_id} was deleted") from error
    if row is not None:
        return Claim(*row)
    row = connection.execute(
        """
        SELECT status, extract(epoch FROM greatest(lease_expires_at, retry_at) - clock_timestamp())::float8,
               worker_id, error_stage, error_type, error_message, error_fingerprint
        FROM task_executions WHERE (job_id, volume_id, s3_etag) = (%s, %s, %s::bytea)
        """,
        (job_id, volume_id, etag),
    ).fetchone()
    if row is None:  # deleted in between: whoever deletes a job's tasks doesn't want this one either
        return NotClaimed(TaskStatus.RETRYABLE_FAILED, 0.0)
    status = TaskStatus(row[0])
    failure = None
    if status is TaskStatus.TERMINAL_FAILED:
        failure = Failure(*(text or "unknown" for text in row[3:]))
    worker = row[2] if status is TaskStatus.RUNNING else None
    return NotClaimed(status, max(0.0, row[1] or 0.0), failure, worker)


_CLAIM = """
    WITH asked AS (
        SELECT coalesce(max(l.request), 0) AS request, max(l.config_revision) AS revision
        FROM ledger l WHERE (l.job_id, l.volume_id) = (%(job_id)s, %(volume_id)s)
    )
    INSERT INTO task_executions AS t (
        job_id, volume_id, s3_etag, version, status, attempt, worker_id, started_at, epoch, lease_expires_at,
        config_revision, plugin_version, artifact_root, message_id, receipt, request
    )
    SELECT %(job_id)s, %(volume_id)s, %(etag)s, %(version)s, 'running', 1, %(worker_id)s, clock_timestamp(), 1,
           clock_timestamp() + make_interval(secs => %(lease_s)s),
           %(config_revision)s, %(plugin_version)s, %(artifact_root)s, %(message_id)s, %(receipt)s, asked.request
    FROM asked
    ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET
        status = 'running',
        attempt = t.attempt + 1,
        failures = CASE WHEN t.status IN ('terminal_failed', 'done') THEN 0 ELSE t.failures END,
        lost = CASE WHEN t.status IN ('terminal_failed', 'done') THEN 0
                    WHEN t.status = 'running' AND t.pages_done <= t.furthest THEN t.lost + 1
                    ELSE t.lost END,
        furthest = CASE WHEN t.status IN ('terminal_failed', 'done') THEN 0
                        ELSE greatest(t.furthest, t.pages_done) END,
        runtime_faults = CASE WHEN t.status IN ('terminal_failed', 'done') THEN 0 ELSE t.runtime_faults END,
        pages_done = 0,
        pages_resumed = 0,
        handed_back = false,
        worker_id = excluded.worker_id,
        started_at = clock_timestamp(),
        done_at = NULL,
        retry_at = NULL,
        version = excluded.version,
        epoch = t.epoch + 1,
        lease_expires_at = excluded.lease_expires_at,
        config_revision = excluded.config_revision,
        plugin_version = excluded.plugin_version,
        artifact_root = excluded.artifact_root,
        message_id = excluded.message_id,
        receipt = excluded.receipt,
        request = excluded.request
    WHERE (t.status <> 'done' OR %(even_if_done)s OR t.request < excluded.request)
      AND (t.lease_expires_at IS NULL OR t.lease_expires_at <= clock_timestamp())
      AND (t.retry_at IS NULL OR t.retry_at <= clock_timestamp())
      AND (t.status <> 'terminal_failed' OR t.failures = 0 OR t.done_at IS NULL
           OR coalesce(%(asked_at)s::timestamptz > t.done_at, true))
    RETURNING id, epoch, attempt, failures, lost, request, (SELECT revision FROM asked), alone
"""


def standing(connection: Connection, *, job_id: int, volume_id: int, etag: bytes) -> Standing:
    """How the version stands."""
    row = connection.execute(
        """
        SELECT t.status, coalesce(t.request, 0), coalesce(l.request, 0)
        FROM (VALUES (%s::int, %s::int)) AS one (job_id, volume_id)
        LEFT JOIN ledger l USING (job_id, volume_id)
        LEFT JOIN task_executions t
            ON (t.job_id, t.volume_id, t.s3_etag) = (one.job_id, one.volume_id, %s::bytea)
        """,
        (job_id, volume_id, etag),
    ).fetchone()
    assert row is not None
    return Standing(volume_id, TaskStatus(row[0]) if row[0] else None, row[1], row[2])


def renew(connection: Connection, claimed: Claim, lease_s: float, *, pages_done: int = 0) -> bool:
    """Extend the lease from now on, and say how far the attempt is. False: the task is not ours any more.

    Not waited for on disk: were it lost in a crash of the server, the lease would only end earlier.
    """
    connection.execute("SET LOCAL synchronous_commit TO off")
    cursor = connection.execute(
        "UPDATE task_executions SET pages_done = %s,"
        " lease_expires_at = clock_timestamp() + make_interval(secs => %s)"
        " WHERE id = %s AND epoch = %s AND status = 'running'",
        (pages_done, lease_s, claimed.task_id, claimed.epoch),
    )
    return cursor.rowcount == 1


def note_resumed(connection: Connection, claimed: Claim, pages: int) -> None:
    """Say that the attempt goes on with so many pages that earlier ones finished."""
    connection.execute(
        "UPDATE task_executions SET pages_resumed = %(pages)s, pages_done = greatest(pages_done, %(pages)s)"
        " WHERE id = %(id)s AND epoch = %(epoch)s AND status = 'running'",
        {"pages": pages, "id": claimed.task_id, "epoch": claimed.epoch},
    )


def why_not_ours(connection: Connection, claimed: Claim) -> str:
    """In words, what became of a task that is not ours any more."""
    row = connection.execute(
        "SELECT status, epoch, worker_id FROM task_executions WHERE id = %s", (claimed.task_id,)
    ).fetchone()
    if row is None:
        return "its row was deleted"
    status, epoch, worker_id = row
    if epoch == claimed.epoch:
        return f"its row says {status}"
    if status == "running":
        return f"worker {worker_id} took it over"
    return f"somebody else ended it: its row says {status}"


def forget(connection: Connection, claimed: Claim) -> None:
    """Take back a claim that turned out to have been needless: the row goes, and with it what it counted."""
    connection.execute(
        "DELETE FROM task_executions WHERE id = %s AND epoch = %s AND status = 'running'",
        (claimed.task_id, claimed.epoch),
    )


def is_ours(connection: Connection, claimed: Claim) -> bool:
    """Whether nobody has taken the task over. Writes nothing, so it is cheap; the lease is not extended."""
    row = connection.execute(
        "SELECT 1 FROM task_executions WHERE id = %s AND epoch = %s AND status = 'running'",
        (claimed.task_id, claimed.epoch),
    ).fetchone()
    return row is not None
