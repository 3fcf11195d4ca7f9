"""A worker of the code from before numbered migrations: its statements, word for word, and its way of starting.

Kept here because a shallow clone has no old code to run. `old_schema.sql` is the schema.sql that it carried.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import psycopg

OLD_SCHEMA = Path(__file__).with_name("old_schema.sql").read_text(encoding="utf-8")

_CLAIM = """
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
    RETURNING id, epoch
"""
_RENEW = (
    "UPDATE task_executions SET lease_expires_at = clock_timestamp() + make_interval(secs => %s)"
    " WHERE id = %s AND epoch = %s AND status = 'running'"
)
_FINISH = """
    UPDATE task_executions SET
        status = 'done', done_at = clock_timestamp(), lease_expires_at = NULL, retry_at = NULL,
        total_images = %(total_images)s, nb_errors = %(nb_errors)s,
        total_duration_ms = %(total_duration_ms)s, avg_duration_per_page_ms = %(avg_duration_per_page_ms)s,
        wall_clock_duration_ms = %(wall_clock_duration_ms)s,
        stage_ms = %(stage_ms)s, errors_by_stage = %(errors_by_stage)s,
        error_stage = NULL, error_type = NULL, error_message = NULL, error_traceback = NULL, error_fingerprint = NULL
    WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'
    RETURNING job_id, volume_id
"""
_FAILED = """
    done_at = clock_timestamp(), lease_expires_at = NULL,
    error_stage = %(stage)s, error_type = %(error_type)s, error_message = %(message)s,
    error_traceback = %(traceback)s, error_fingerprint = %(fingerprint)s
"""
_FAIL = f"""
    UPDATE task_executions SET {_FAILED}, status = %(status)s, failures = failures + %(counted)s,
        retry_at = CASE WHEN %(retry_s)s > 0
            THEN clock_timestamp() + make_interval(secs => %(retry_s)s) END,
        total_images = coalesce(%(total_images)s, total_images), nb_errors = coalesce(%(nb_errors)s, nb_errors),
        total_duration_ms = coalesce(%(duration)s, total_duration_ms),
        wall_clock_duration_ms = coalesce(%(wall_clock)s, wall_clock_duration_ms),
        errors_by_stage = coalesce(%(errors_by_stage)s, errors_by_stage)
    WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'
    RETURNING job_id, volume_id
"""
_UNCLAIMED = """
    INSERT INTO task_executions AS t (job_id, volume_id, s3_etag, status, worker_id, started_at, config_revision)
    VALUES (%(job_id)s, %(volume_id)s, %(etag)s, 'terminal_failed', %(worker_id)s, clock_timestamp(),
            %(revision)s)
    ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET
        status = 'terminal_failed', attempt = t.attempt + 1, worker_id = excluded.worker_id,
        started_at = excluded.started_at
"""
_UNCLAIMED_WHY = (
    f"UPDATE task_executions SET {_FAILED}, failures = failures + 1"
    " WHERE (job_id, volume_id, s3_etag) = (%(job_id)s, %(volume_id)s, %(etag)s::bytea)"
)
_FAIL_WAITING = (
    "UPDATE ledger SET state = 'failed', reason = %s, changed_at = clock_timestamp()"
    " WHERE (job_id, volume_id) = (%s, %s) AND state = 'waiting'"
)
_LEDGER = (
    "UPDATE ledger SET state = %s, reason = %s, changed_at = clock_timestamp()"
    " WHERE (job_id, volume_id) = (%s, %s)"
)
_REQUEST = """
    INSERT INTO ledger AS l (job_id, volume_id, source, i_version)
    SELECT %s, a.volume_id, a.source, nullif(a.i_version, '')
    FROM unnest(%s::int[], %s::text[], %s::text[]) AS a (volume_id, source, i_version)
    ORDER BY a.volume_id
    ON CONFLICT (job_id, volume_id) DO UPDATE SET
        state = 'waiting', source = excluded.source, i_version = excluded.i_version,
        requested_at = now(), changed_at = now(), sent_at = NULL, reason = NULL
"""
_SENT = "UPDATE ledger SET sent_at = now() WHERE job_id = %s AND volume_id = ANY(%s::int[])"
_REGISTER = (
    "INSERT INTO workers (worker_name, hostname, job_id, process, tags) VALUES (%s, %s, %s, %s, %s)"
    " RETURNING worker_id"
)
_HEARTBEAT = "UPDATE workers SET last_heartbeat_at = clock_timestamp(), activity = %s WHERE worker_id = %s"
_STOP = (
    "UPDATE workers SET stopped_at = clock_timestamp(), last_heartbeat_at = clock_timestamp(), activity = '[]'"
    " WHERE worker_id = %s AND stopped_at IS NULL"
)
_RELEASE = (
    "UPDATE task_executions SET status = 'retryable_failed', lease_expires_at = NULL, epoch = epoch + 1,"
    " error_stage = 'worker', error_type = 'WorkerDied', error_message = 'the worker process ended without a word'"
    " WHERE worker_id = %s AND status = 'running'"
)
_FAILURE = {
    "stage": "decode",
    "error_type": "Broken",
    "message": "it is broken",
    "traceback": None,
    "fingerprint": "abc",
}


class OldCodeRefuses(Exception):
    """The old code says that the database has no schema."""


def old_init(connection: psycopg.Connection[Any]) -> None:
    """What ``bec db init`` of the old code does."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (0x6265635F,))
    connection.execute(OLD_SCHEMA.encode())
    connection.execute(
        "INSERT INTO schema_state (sha256) VALUES (%s) ON CONFLICT (singleton) DO UPDATE"
        " SET sha256 = excluded.sha256, applied_at = now()",
        (hashlib.sha256(OLD_SCHEMA.encode()).hexdigest(),),
    )


def old_start_embedded(connection: psycopg.Connection[Any]) -> None:
    """What any command of the old code does first with the embedded database."""
    row = connection.execute("SELECT to_regclass('schema_state') IS NOT NULL").fetchone()
    if row and row[0]:
        row = connection.execute("SELECT sha256 FROM schema_state").fetchone()
        if row and row[0] == hashlib.sha256(OLD_SCHEMA.encode()).hexdigest():
            return
    old_init(connection)


class OldWorker:
    """One process of the old code: starting it checks the schema as the old code does."""

    def __init__(self, connection: psycopg.Connection[Any], job_id: int, host: str = "old-host") -> None:
        row = connection.execute("SELECT to_regclass('schema_state') IS NOT NULL").fetchone()
        if not (row and row[0]):
            raise OldCodeRefuses("the database has no (or an older) BEC schema; run: bec db init")
        self._connection, self._job_id = connection, job_id
        row = connection.execute(_REGISTER, ("old", host, job_id, "1:1", "{}")).fetchone()
        assert row is not None
        self.id: int = row[0]
        connection.execute(_HEARTBEAT, ("[]", self.id))

    def ask(self, volume_id: int) -> None:
        """Enqueue."""
        self._connection.execute(_REQUEST, (self._job_id, [volume_id], [""], [""]))
        self._connection.execute(_SENT, (self._job_id, [volume_id]))

    def claim(self, volume_id: int, *, even_if_done: bool = False) -> tuple[int, int] | None:
        """Take the task; its row and epoch."""
        values = {
            "job_id": self._job_id, "volume_id": volume_id, "etag": bytes(15) + bytes([1]), "version": "v1",
            "worker_id": self.id, "lease_s": 60.0, "config_revision": 1, "plugin_version": "1", "asked_at": None,
            "even_if_done": even_if_done,
        }  # fmt: skip
        return self._connection.execute(_CLAIM, values).fetchone()

    def renew(self, claimed: tuple[int, int]) -> bool:
        """Extend the lease."""
        return self._connection.execute(_RENEW, (60.0, *claimed)).rowcount == 1

    def finish(self, claimed: tuple[int, int]) -> bool:
        """The task is done."""
        values = {
            "total_images": 40_000, "nb_errors": 0, "total_duration_ms": 1.0, "avg_duration_per_page_ms": 1.0,
            "wall_clock_duration_ms": 1.0, "stage_ms": "{}", "errors_by_stage": None,
            "task_id": claimed[0], "epoch": claimed[1],
        }  # fmt: skip
        row = self._connection.execute(_FINISH, values).fetchone()
        if row is not None:
            self._connection.execute(_LEDGER, ("done", None, *row))
        return row is not None

    def fail(self, claimed: tuple[int, int], *, terminal: bool) -> bool:
        """The task failed."""
        values = {
            **_FAILURE, "status": "terminal_failed" if terminal else "retryable_failed", "counted": 1,
            "retry_s": 0.0, "total_images": None, "nb_errors": None, "duration": None, "wall_clock": None,
            "errors_by_stage": None, "task_id": claimed[0], "epoch": claimed[1],
        }  # fmt: skip
        row = self._connection.execute(_FAIL, values).fetchone()
        if row is not None and terminal:
            self._connection.execute(_LEDGER, ("failed", "Broken: it is broken", *row))
        return row is not None

    def fail_unclaimed(self, volume_id: int) -> None:
        """The volume has no manifest."""
        key = {"job_id": self._job_id, "volume_id": volume_id, "etag": bytes(16)}
        self._connection.execute(_UNCLAIMED, {**key, "worker_id": self.id, "revision": 1})
        self._connection.execute(_UNCLAIMED_WHY, {**key, **_FAILURE})
        self._connection.execute(_FAIL_WAITING, ("Broken: it is broken", self._job_id, volume_id))

    def release_leases_of(self, worker_id: int) -> int:
        """Free a dead worker's tasks."""
        return self._connection.execute(_RELEASE, (worker_id,)).rowcount

    def stop(self) -> None:
        """End."""
        self._connection.execute(_STOP, (self.id,))
