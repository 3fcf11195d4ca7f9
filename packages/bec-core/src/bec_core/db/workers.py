"""SQL over ``workers``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


def register(
    connection: Connection, *, name: str, hostname: str, job_id: int, process: str, tags: Mapping[str, Any]
) -> int:
    """Insert a worker's row and return its id."""
    row = connection.execute(
        "INSERT INTO workers (worker_name, hostname, job_id, process, tags) VALUES (%s, %s, %s, %s, %s)"
        " RETURNING worker_id",
        (name, hostname, job_id, process, Jsonb(dict(tags))),
    ).fetchone()
    assert row is not None
    return int(row[0])


def heartbeat(connection: Connection, worker_id: int, activity: Sequence[Mapping[str, Any]]) -> None:
    """Say that the worker lives, and what it is doing. Not waited for on disk: the next one follows soon."""
    connection.execute("SET LOCAL synchronous_commit TO off")
    connection.execute(
        "UPDATE workers SET last_heartbeat_at = clock_timestamp(), activity = %s WHERE worker_id = %s",
        (Jsonb([dict(entry) for entry in activity]), worker_id),
    )


def stop(connection: Connection, worker_id: int) -> None:
    """Say that the worker has stopped."""
    connection.execute(
        "UPDATE workers SET stopped_at = clock_timestamp(), last_heartbeat_at = clock_timestamp(), activity = '[]'"
        " WHERE worker_id = %s AND stopped_at IS NULL",
        (worker_id,),
    )


def unstopped_on_host(connection: Connection, hostname: str) -> list[tuple[int, str]]:
    """Workers of this host that never said they stopped: id and process."""
    rows = connection.execute(
        "SELECT worker_id, process FROM workers WHERE hostname = %s AND stopped_at IS NULL AND process IS NOT NULL",
        (hostname,),
    )
    return [(row[0], row[1]) for row in rows]


def release_leases_of(connection: Connection, worker_id: int) -> int:
    """Free the tasks of a worker whose process is known to be dead; returns how many.

    The epoch rises, so that even a worker that was wrongly thought dead can't publish any more.
    """
    cursor = connection.execute(
        "UPDATE task_executions SET status = 'retryable_failed', lease_expires_at = NULL, epoch = epoch + 1,"
        " error_stage = 'worker', error_type = 'WorkerDied', error_message = 'the worker process ended without a word'"
        " WHERE worker_id = %s AND status = 'running'",
        (worker_id,),
    )
    return cursor.rowcount
