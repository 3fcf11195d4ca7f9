"""Saying that a task failed, was handed back, or met what is not its fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from bec_core.db import ledger
from bec_core.db.tasks.values import NO_VERSION, Claim, Failure, Faults, Outcome
from bec_core.errors import JobGone

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


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
    page_errors: Sequence[Mapping[str, Any]] = (),
) -> bool:
    """Record a failure and give the lease back. False: the epoch is not ours any more.

    ``counts`` says whether it is the task's own failure (trouble outside is not); ``retry_s`` is the back-off.
    A terminal failure fails the ledger entry too, unless the volume has been asked for again since.
    """
    row = connection.execute(
        f"""
        UPDATE task_executions SET {_FAILED}, status = %(status)s, failures = failures + %(counted)s,
            retry_at = CASE WHEN %(retry_s)s > 0
                THEN clock_timestamp() + make_interval(secs => %(retry_s)s) END,
            total_images = coalesce(%(total_images)s, total_images), nb_errors = coalesce(%(nb_errors)s, nb_errors),
            total_duration_ms = coalesce(%(duration)s, total_duration_ms),
            wall_clock_duration_ms = coalesce(%(wall_clock)s, wall_clock_duration_ms),
            errors_by_stage = coalesce(%(errors_by_stage)s, errors_by_stage),
            page_errors = %(page_errors)s,
            furthest = greatest(furthest, pages_done), pages_done = 0
        WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'
        RETURNING job_id, volume_id, request
        """,
        {
            **_failure_values(failure),
            "status": "terminal_failed" if terminal else "retryable_failed",
            "counted": int(counts),
            "retry_s": 0.0 if terminal else retry_s,
            "total_images": outcome.total_images if outcome else None,
            "nb_errors": outcome.nb_errors if outcome else None,
            # a failed job that said nothing of its time: unknown, not none
            "duration": (outcome.total_duration_ms or None) if outcome else None,
            "wall_clock": outcome.wall_clock_duration_ms if outcome else None,
            "errors_by_stage": Jsonb(dict(outcome.errors_by_stage))
            if outcome and outcome.errors_by_stage
            else None,
            "page_errors": Jsonb([dict(one) for one in page_errors]) if page_errors else None,
            "task_id": claimed.task_id,
            "epoch": claimed.epoch,
        },
    ).fetchone()
    if row is None:
        return False
    if terminal:
        ledger.set_state(connection, row[0], row[1], "failed", failure.reason, answered=row[2])
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
    _unresolved_row(connection, job_id, volume_id, worker_id, config_revision)
    connection.execute(
        f"UPDATE task_executions SET {_FAILED}, status = 'terminal_failed', failures = failures + 1"
        " WHERE (job_id, volume_id, s3_etag) = (%(job_id)s, %(volume_id)s, %(etag)s::bytea)",
        {**_failure_values(failure), "job_id": job_id, "volume_id": volume_id, "etag": NO_VERSION},
    )
    ledger.fail_waiting(connection, job_id, volume_id, failure.reason)


def _unresolved_row(
    connection: Connection, job_id: int, volume_id: int, worker_id: int, config_revision: int
) -> None:
    """The row of a volume without a version; there is one from its first trouble on."""
    try:
        connection.execute(
            """
            INSERT INTO task_executions AS t
                (job_id, volume_id, s3_etag, status, worker_id, started_at, config_revision)
            VALUES (%(job_id)s, %(volume_id)s, %(etag)s, 'retryable_failed', %(worker_id)s, clock_timestamp(),
                    %(revision)s)
            ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET
                attempt = t.attempt + 1, worker_id = excluded.worker_id, started_at = excluded.started_at
            """,
            {
                "job_id": job_id,
                "volume_id": volume_id,
                "etag": NO_VERSION,
                "worker_id": worker_id,
                "revision": config_revision,
            },
        )
    except psycopg.errors.ForeignKeyViolation as error:
        raise JobGone(f"job {job_id} was deleted") from error


def hand_back(connection: Connection, claimed: Claim) -> bool:
    """Give the lease back of a task that was told to stop: nothing failed, and its row says so. False: not ours.

    Such a row says ``retryable_failed``, and :data:`HANDED_BACK` tells it from failures.
    """
    cursor = connection.execute(
        """
        UPDATE task_executions SET status = 'retryable_failed', handed_back = true, lease_expires_at = NULL,
            retry_at = NULL, error_stage = NULL, error_type = NULL, error_message = NULL, error_traceback = NULL,
            error_fingerprint = NULL, page_errors = NULL, furthest = greatest(furthest, pages_done), pages_done = 0
        WHERE id = %s AND epoch = %s AND status = 'running'
        """,
        (claimed.task_id, claimed.epoch),
    )
    return cursor.rowcount == 1


def note_fault(
    connection: Connection,
    *,
    job_id: int,
    volume_id: int,
    etag: bytes | None,
    worker_id: int,
    failure: Failure,
    config_revision: int,
    wait_s: float,
) -> Faults:
    """Count a fault of ours (or of the surroundings) that a volume met, in the row of its version.

    ``etag`` None: it was met before the version was known. A row that somebody holds is not touched but for the count.
    """
    if etag is None:
        _unresolved_row(connection, job_id, volume_id, worker_id, config_revision)
    row = connection.execute(
        """
        UPDATE task_executions t SET runtime_faults = runtime_faults + 1,
            first_fault_at = CASE WHEN runtime_faults = 0 THEN clock_timestamp() ELSE first_fault_at END,
            error_stage = CASE WHEN status = 'retryable_failed' THEN %(stage)s ELSE error_stage END,
            error_type = CASE WHEN status = 'retryable_failed' THEN %(error_type)s ELSE error_type END,
            error_message = CASE WHEN status = 'retryable_failed' THEN %(message)s ELSE error_message END,
            error_traceback = CASE WHEN status = 'retryable_failed' THEN %(traceback)s ELSE error_traceback END,
            error_fingerprint = CASE WHEN status = 'retryable_failed' THEN %(fingerprint)s ELSE error_fingerprint END,
            retry_at = CASE WHEN status = 'retryable_failed'
                THEN clock_timestamp() + make_interval(secs => %(wait_s)s) ELSE retry_at END
        WHERE (job_id, volume_id, s3_etag) = (%(job_id)s, %(volume_id)s, %(etag)s::bytea) AND status <> 'done'
        RETURNING runtime_faults, EXISTS (
            SELECT FROM task_executions other
            WHERE other.job_id = t.job_id AND other.status = 'done' AND other.done_at > t.first_fault_at
        )
        """,
        {
            **_failure_values(failure),
            "job_id": job_id,
            "volume_id": volume_id,
            "etag": NO_VERSION if etag is None else etag,
            "wait_s": wait_s,
        },
    ).fetchone()
    return Faults(0, False) if row is None else Faults(row[0], row[1])


def set_aside(
    connection: Connection, *, job_id: int, volume_id: int, etag: bytes | None, failure: Failure
) -> None:
    """Give up a volume that alone meets a fault of ours again and again; the ledger says so."""
    connection.execute(
        f"UPDATE task_executions SET {_FAILED}, status = 'terminal_failed', failures = greatest(failures, 1)"
        " WHERE (job_id, volume_id, s3_etag) = (%(job_id)s, %(volume_id)s, %(etag)s::bytea)"
        "   AND status = 'retryable_failed'",
        {
            **_failure_values(failure),
            "job_id": job_id,
            "volume_id": volume_id,
            "etag": NO_VERSION if etag is None else etag,
        },
    )
    ledger.fail_waiting(connection, job_id, volume_id, failure.reason)
