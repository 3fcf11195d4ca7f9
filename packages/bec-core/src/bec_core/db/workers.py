"""SQL over ``workers``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from attrs import frozen
from psycopg.types.json import Jsonb

from bec_core.db.tasks import Failure
from bec_core.errors import JobGone

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

ALIVE_S = 45.0
"""A worker whose heartbeat is older than this is taken for dead (it beats every ten seconds)."""


def register(
    connection: Connection,
    *,
    name: str,
    hostname: str,
    job_id: int,
    process: str,
    tags: Mapping[str, Any],
    recipe: str | None = None,
) -> int:
    """Insert a worker's row and return its id.

    Raises:
        JobGone: the job was deleted.
    """
    try:
        row = connection.execute(
            "INSERT INTO workers (worker_name, hostname, job_id, process, tags, recipe)"
            " VALUES (%s, %s, %s, %s, %s, %s) RETURNING worker_id",
            (name, hostname, job_id, process, Jsonb(dict(tags)), recipe),
        ).fetchone()
    except psycopg.errors.ForeignKeyViolation as error:
        raise JobGone(f"job {job_id} was deleted") from error
    assert row is not None
    return int(row[0])


def heartbeat(connection: Connection, worker_id: int, activity: Sequence[Mapping[str, Any]]) -> None:
    """Say that the worker lives, and what it is doing. Not waited for on disk: the next one follows soon.

    Whoever took it for dead was wrong: it counts as stopped no longer.
    """
    connection.execute("SET LOCAL synchronous_commit TO off")
    connection.execute(
        "UPDATE workers SET last_heartbeat_at = clock_timestamp(), activity = %s, stopped_at = NULL"
        " WHERE worker_id = %s",
        (Jsonb([dict(entry) for entry in activity]), worker_id),
    )


def stop(connection: Connection, worker_id: int) -> None:
    """Say that the worker has stopped."""
    connection.execute(
        "UPDATE workers SET stopped_at = clock_timestamp(), last_heartbeat_at = clock_timestamp(), activity = '[]'"
        " WHERE worker_id = %s AND stopped_at IS NULL",
        (worker_id,),
    )


def dismiss(connection: Connection, worker_ids: Sequence[int] | None, job_id: int | None) -> list[int]:
    """Say of dead workers (all of them, or of a job's) that they stopped when they were last heard of; their ids."""
    rows = connection.execute(
        """
        UPDATE workers SET stopped_at = last_heartbeat_at
        WHERE stopped_at IS NULL AND last_heartbeat_at <= statement_timestamp() - make_interval(secs => %(alive)s)
          AND (%(ids)s::int[] IS NULL OR worker_id = ANY(%(ids)s)) AND (%(job)s::int IS NULL OR job_id = %(job)s)
        RETURNING worker_id
        """,
        {"ids": None if worker_ids is None else list(worker_ids), "job": job_id, "alive": ALIVE_S},
    )
    return sorted(row[0] for row in rows)


def unstopped_on_host(connection: Connection, hostname: str, job_id: int) -> list[tuple[int, str]]:
    """Workers of this host and job that never said they stopped, or were dismissed with a task in hand: id, process."""
    rows = connection.execute(
        """
        SELECT worker_id, process FROM workers w
        WHERE hostname = %s AND job_id = %s AND process IS NOT NULL AND (stopped_at IS NULL OR EXISTS (
            SELECT FROM task_executions t WHERE t.worker_id = w.worker_id AND t.status = 'running'
        ))
        """,
        (hostname, job_id),
    )
    return [(row[0], row[1]) for row in rows]


@frozen
class LeftByTheDead:
    """A task that a dead process had in hand; ``failed``: its death was the task's last attempt."""

    task_id: int
    message_id: str | None
    receipt: str | None
    failed: bool


def bury(
    connection: Connection, worker_id: int, *, max_attempts: int, failure: Failure
) -> list[LeftByTheDead]:
    """Free the tasks of a worker whose process is known to be dead, and say that it stopped.

    With one task in hand its death is that task's failure. With several nobody is blamed: each is to be tried
    alone in its process. The epoch rises, so that even a worker that was wrongly thought dead can't publish any more.
    """
    rows = connection.execute(
        """
        WITH hand AS (
            SELECT id, count(*) OVER () = 1 AS blamed FROM task_executions
            WHERE worker_id = %(worker)s AND status = 'running'
        ), freed AS (
            UPDATE task_executions t SET
                status = CASE WHEN blamed AND t.failures + 1 >= %(most)s THEN 'terminal_failed'
                              ELSE 'retryable_failed' END::task_status,
                failures = t.failures + blamed::int, alone = t.alone OR NOT blamed,
                done_at = clock_timestamp(), lease_expires_at = NULL, epoch = t.epoch + 1,
                furthest = greatest(t.furthest, t.pages_done), pages_done = 0,
                error_stage = %(stage)s, error_type = %(type)s, error_message = %(message)s,
                error_fingerprint = %(fingerprint)s, error_traceback = NULL
            FROM hand WHERE t.id = hand.id
            RETURNING t.id, t.job_id, t.volume_id, t.message_id, t.receipt, t.status, t.request
        ), said AS (
            UPDATE ledger l SET state = 'failed', reason = %(reason)s, changed_at = clock_timestamp()
            FROM freed f WHERE (l.job_id, l.volume_id) = (f.job_id, f.volume_id)
              AND f.status = 'terminal_failed' AND l.request <= f.request
        )
        SELECT id, message_id, receipt, status = 'terminal_failed' FROM freed ORDER BY id
        """,
        {
            "worker": worker_id,
            "most": max_attempts,
            "stage": failure.stage,
            "type": failure.error_type,
            "message": failure.message,
            "fingerprint": failure.fingerprint,
            "reason": failure.reason,
        },
    ).fetchall()
    stop(connection, worker_id)
    return [LeftByTheDead(*row) for row in rows]
