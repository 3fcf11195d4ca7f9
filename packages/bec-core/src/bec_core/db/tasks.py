"""SQL over ``task_executions``: claims, leases, outcomes.

A claim is one statement. Whatever a worker writes afterwards says the epoch that it claimed, so that a
worker whose lease was taken over changes nothing. All times are the server's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen
from psycopg.types.json import Jsonb

from bec_core.models import TaskStatus

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

NO_VERSION = bytes(16)
"""The etag of a task whose volume has no version: its manifest is missing or unreadable."""


@frozen
class Claim:
    """The right to work on a task: its row, the fencing epoch, which attempt it is, failures so far."""

    task_id: int
    epoch: int
    attempt: int
    failures: int


@frozen
class Failure:
    """Why a task failed, as its row keeps it."""

    stage: str
    error_type: str
    message: str
    fingerprint: str
    traceback: str | None = None


@frozen
class NotClaimed:
    """Why a claim was refused: the task's status, for how long to leave it alone (seconds), why it failed."""

    status: TaskStatus
    wait_s: float
    failure: Failure | None = None


@frozen
class Outcome:
    """A finished task's figures (durations in milliseconds)."""

    total_images: int
    nb_errors: int
    total_duration_ms: float
    avg_duration_per_page_ms: float
    wall_clock_duration_ms: float
    stage_ms: Mapping[str, float] | None = None
    errors_by_stage: Mapping[str, int] | None = None


def claim(
    connection: Connection,
    *,
    job_id: int,
    volume_id: int,
    etag: bytes,
    version: str | None,
    worker_id: int,
    lease_s: float,
    config_revision: int,
    plugin_version: str,
    asked_at: datetime | None = None,
    even_if_done: bool = False,
) -> Claim | NotClaimed:
    """Take the task: insert its row, or take it over when it is not done and nobody holds its lease.

    ``even_if_done`` takes a row that says done though no marker stands for it.

    A task that had failed for good is taken, with no failures counted, if somebody asked for it since:
    its message was sent after the failure (``asked_at``; None: nobody knows when), or it was set free
    (no failures are counted against it). Otherwise the message is a duplicate, or its worker died before
    it could set it aside; the answer says why the task failed.

    A claim's commit is waited for: were it lost in a crash of the server, two workers could get one epoch.
    """
    row = connection.execute(
        """
        INSERT INTO task_executions AS t (
            job_id, volume_id, s3_etag, version, status, attempt, worker_id, started_at,
            epoch, lease_expires_at, config_revision, plugin_version
        )
        VALUES (
            %(job_id)s, %(volume_id)s, %(etag)s, %(version)s, 'running', 1, %(worker_id)s, clock_timestamp(),
            1, clock_timestamp() + make_interval(secs => %(lease_s)s), %(config_revision)s, %(plugin_version)s
        )
        ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET
            status = 'running',
            attempt = t.attempt + 1,
            failures = CASE WHEN t.status = 'terminal_failed' THEN 0 ELSE t.failures END,
            worker_id = excluded.worker_id,
            started_at = clock_timestamp(),
            done_at = NULL,
            retry_at = NULL,
            version = excluded.version,
            epoch = t.epoch + 1,
            lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s),
            config_revision = excluded.config_revision,
            plugin_version = excluded.plugin_version
        WHERE (t.status <> 'done' OR %(even_if_done)s)
          AND (t.lease_expires_at IS NULL OR t.lease_expires_at <= clock_timestamp())
          AND (t.retry_at IS NULL OR t.retry_at <= clock_timestamp())
          AND (t.status <> 'terminal_failed' OR t.failures = 0 OR t.done_at IS NULL
               OR coalesce(%(asked_at)s::timestamptz > t.done_at, true))
        RETURNING id, epoch, attempt, failures
        """,
        {
            "job_id": job_id,
            "volume_id": volume_id,
            "etag": etag,
            "version": version,
            "worker_id": worker_id,
            "lease_s": lease_s,
            "config_revision": config_revision,
            "plugin_version": plugin_version,
            "asked_at": asked_at,
            "even_if_done": even_if_done,
        },
    ).fetchone()
    if row is not None:
        return Claim(*row)
    row = connection.execute(
        """
        SELECT status, extract(epoch FROM greatest(lease_expires_at, retry_at) - clock_timestamp()),
               error_stage, error_type, error_message, error_fingerprint
        FROM task_executions WHERE (job_id, volume_id, s3_etag) = (%s, %s, %s::bytea)
        """,
        (job_id, volume_id, etag),
    ).fetchone()
    if row is None:  # deleted in between: whoever deletes a job's tasks doesn't want this one either
        return NotClaimed(TaskStatus.RETRYABLE_FAILED, 0.0)
    status = TaskStatus(row[0])
    failure = None
    if status is TaskStatus.TERMINAL_FAILED:
        failure = Failure(*(text or "unknown" for text in row[2:]))
    return NotClaimed(status, max(0.0, float(row[1] or 0.0)), failure)


def renew(connection: Connection, claimed: Claim, lease_s: float) -> bool:
    """Extend the lease from now on. False: it is another worker's (or nobody's) now.

    Not waited for on disk: were it lost in a crash of the server, the lease would only end earlier.
    """
    connection.execute("SET LOCAL synchronous_commit TO off")
    cursor = connection.execute(
        "UPDATE task_executions SET lease_expires_at = clock_timestamp() + make_interval(secs => %s)"
        " WHERE id = %s AND epoch = %s AND status = 'running'",
        (lease_s, claimed.task_id, claimed.epoch),
    )
    return cursor.rowcount == 1


def is_ours(connection: Connection, claimed: Claim) -> bool:
    """Whether nobody has taken the task over. Writes nothing, so it is cheap; the lease is not extended."""
    row = connection.execute(
        "SELECT 1 FROM task_executions WHERE id = %s AND epoch = %s AND status = 'running'",
        (claimed.task_id, claimed.epoch),
    ).fetchone()
    return row is not None


def says_done(connection: Connection, *, job_id: int, volume_id: int, etag: bytes) -> bool:
    """Whether the task's row says that it is done."""
    row = connection.execute(
        "SELECT 1 FROM task_executions"
        " WHERE (job_id, volume_id, s3_etag) = (%s, %s, %s::bytea) AND status = 'done'",
        (job_id, volume_id, etag),
    ).fetchone()
    return row is not None


def finish(connection: Connection, claimed: Claim, outcome: Outcome) -> bool:
    """Record that the task is done, and so its ledger entry. False: the epoch is not ours any more."""
    row = connection.execute(
        f"""
        UPDATE task_executions SET {_DONE}
        WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'
        RETURNING job_id, volume_id
        """,
        {**_outcome_values(outcome), "task_id": claimed.task_id, "epoch": claimed.epoch},
    ).fetchone()
    if row is None:
        return False
    set_ledger(connection, row[0], row[1], "done")
    return True


_DONE = """
    status = 'done', done_at = clock_timestamp(), lease_expires_at = NULL, retry_at = NULL,
    total_images = %(total_images)s, nb_errors = %(nb_errors)s,
    total_duration_ms = %(total_duration_ms)s, avg_duration_per_page_ms = %(avg_duration_per_page_ms)s,
    wall_clock_duration_ms = %(wall_clock_duration_ms)s,
    stage_ms = %(stage_ms)s, errors_by_stage = %(errors_by_stage)s,
    error_stage = NULL, error_type = NULL, error_message = NULL, error_traceback = NULL, error_fingerprint = NULL
"""


def _outcome_values(outcome: Outcome) -> dict[str, Any]:
    return {
        "total_images": outcome.total_images,
        "nb_errors": outcome.nb_errors,
        "total_duration_ms": outcome.total_duration_ms,
        "avg_duration_per_page_ms": outcome.avg_duration_per_page_ms,
        "wall_clock_duration_ms": outcome.wall_clock_duration_ms,
        "stage_ms": Jsonb(dict(outcome.stage_ms)) if outcome.stage_ms is not None else None,
        "errors_by_stage": Jsonb(dict(outcome.errors_by_stage))
        if outcome.errors_by_stage is not None
        else None,
    }


def repair_done(
    connection: Connection, *, job_id: int, volume_id: int, etag: bytes, version: str, outcome: Outcome
) -> bool:
    """Make the row say what the marker says: done. True if it did not before.

    The epoch rises, so that a worker that still holds the task loses it.
    """
    row = connection.execute(
        """
        INSERT INTO task_executions AS t (job_id, volume_id, s3_etag, version, status, attempt)
        VALUES (%(job_id)s, %(volume_id)s, %(etag)s, %(version)s, 'running', 0)
        ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET epoch = t.epoch + 1, version = excluded.version
        WHERE t.status <> 'done'
        RETURNING id
        """,
        {"job_id": job_id, "volume_id": volume_id, "etag": etag, "version": version},
    ).fetchone()
    if row is not None:
        connection.execute(
            f"UPDATE task_executions SET {_DONE} WHERE id = %(id)s",
            {**_outcome_values(outcome), "id": row[0]},
        )
    set_ledger(connection, job_id, volume_id, "done")
    return row is not None


_FAILED = """
    done_at = clock_timestamp(), lease_expires_at = NULL,
    error_stage = %(stage)s, error_type = %(error_type)s, error_message = %(message)s,
    error_traceback = %(traceback)s, error_fingerprint = %(fingerprint)s
"""


def _failure_values(failure: Failure) -> dict[str, Any]:
    return {
        "stage": failure.stage,
        "error_type": failure.error_type,
        "message": failure.message,
        "traceback": failure.traceback,
        "fingerprint": failure.fingerprint,
    }


def fail(
    connection: Connection,
    claimed: Claim,
    failure: Failure,
    *,
    terminal: bool,
    counts: bool = True,
    retry_s: float = 0.0,
    outcome: Outcome | None = None,
) -> bool:
    """Record a failure and give the lease back. False: the epoch is not ours any more.

    ``counts`` says whether it is the task's own failure (a hand-back is not); ``retry_s`` is the back-off.
    A terminal failure fails the ledger entry too.
    """
    row = connection.execute(
        f"""
        UPDATE task_executions SET {_FAILED}, status = %(status)s, failures = failures + %(counted)s,
            retry_at = CASE WHEN %(retry_s)s > 0
                THEN clock_timestamp() + make_interval(secs => %(retry_s)s) END,
            total_images = coalesce(%(total_images)s, total_images), nb_errors = coalesce(%(nb_errors)s, nb_errors),
            total_duration_ms = coalesce(%(duration)s, total_duration_ms),
            wall_clock_duration_ms = coalesce(%(wall_clock)s, wall_clock_duration_ms),
            errors_by_stage = coalesce(%(errors_by_stage)s, errors_by_stage)
        WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'
        RETURNING job_id, volume_id
        """,
        {
            **_failure_values(failure),
            "status": "terminal_failed" if terminal else "retryable_failed",
            "counted": int(counts),
            "retry_s": 0.0 if terminal else retry_s,
            "total_images": outcome.total_images if outcome else None,
            "nb_errors": outcome.nb_errors if outcome else None,
            "duration": outcome.total_duration_ms if outcome else None,
            "wall_clock": outcome.wall_clock_duration_ms if outcome else None,
            "errors_by_stage": Jsonb(dict(outcome.errors_by_stage))
            if outcome and outcome.errors_by_stage
            else None,
            "task_id": claimed.task_id,
            "epoch": claimed.epoch,
        },
    ).fetchone()
    if row is None:
        return False
    if terminal:
        set_ledger(connection, row[0], row[1], "failed", f"{failure.error_type}: {failure.message}")
    return True


def fail_unclaimed(
    connection: Connection,
    *,
    job_id: int,
    volume_id: int,
    worker_id: int,
    failure: Failure,
    config_revision: int,
) -> None:
    """Record a terminal failure of a volume that has no version to claim (its manifest is missing).

    The ledger's entry fails only if it waits: what was done at an earlier version stays done.
    """
    connection.execute(
        """
        INSERT INTO task_executions AS t (job_id, volume_id, s3_etag, status, worker_id, started_at, config_revision)
        VALUES (%(job_id)s, %(volume_id)s, %(etag)s, 'terminal_failed', %(worker_id)s, clock_timestamp(),
                %(revision)s)
        ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET
            status = 'terminal_failed', attempt = t.attempt + 1, worker_id = excluded.worker_id,
            started_at = excluded.started_at
        """,
        {
            "job_id": job_id,
            "volume_id": volume_id,
            "etag": NO_VERSION,
            "worker_id": worker_id,
            "revision": config_revision,
        },
    )
    connection.execute(
        f"UPDATE task_executions SET {_FAILED}, failures = failures + 1"
        " WHERE (job_id, volume_id, s3_etag) = (%(job_id)s, %(volume_id)s, %(etag)s::bytea)",
        {**_failure_values(failure), "job_id": job_id, "volume_id": volume_id, "etag": NO_VERSION},
    )
    fail_waiting(connection, job_id, volume_id, failure)


def fail_waiting(connection: Connection, job_id: int, volume_id: int, failure: Failure) -> None:
    """Say in the ledger that a volume failed which no task of a version stands for, if it still waits."""
    connection.execute(
        "UPDATE ledger SET state = 'failed', reason = %s, changed_at = clock_timestamp()"
        " WHERE (job_id, volume_id) = (%s, %s) AND state = 'waiting'",
        (f"{failure.error_type}: {failure.message}", job_id, volume_id),
    )


def set_ledger(
    connection: Connection, job_id: int, volume_id: int, state: str, reason: str | None = None
) -> None:
    """Say what became of a volume that the job was asked to do (nothing, if it never was)."""
    connection.execute(
        "UPDATE ledger SET state = %s, reason = %s, changed_at = clock_timestamp()"
        " WHERE (job_id, volume_id) = (%s, %s)",
        (state, reason, job_id, volume_id),
    )
