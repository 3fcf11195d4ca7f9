"""The backlog counts what workers could do now, once each."""

from __future__ import annotations

from bec_core.db import Database, jobs
from bec_core.db.backlog import backlog


def test_what_waits_and_what_runs_is_counted_once_and_what_is_blocked_is_not(database: Database) -> None:
    with database.connection() as connection:
        job = jobs.create(
            connection,
            name="j",
            job_type="checksum",
            config={},
            queue_url="postgres:///a",
            dlq_url="postgres:///b",
        )
        empty = backlog(connection, job.id)
        assert (empty.total, empty.per_worker) == (0, 0.0)
        connection.execute(
            "INSERT INTO volumes (bdrc_w_id, bdrc_i_id) SELECT 'W' || n, 'I' || n FROM generate_series(1, 9) n"
        )
        # 1 and 2 wait unsent, 3 waits in back-off, 4 runs, 5 ran until its lease was lost, 6 runs unasked,
        # 7 is blocked, 8 is done, 9 failed
        connection.execute(
            """
            INSERT INTO ledger (job_id, volume_id, source, state, sent_at)
            SELECT %s, id, 's', CASE WHEN n = 7 THEN 'blocked' WHEN n = 8 THEN 'done' WHEN n = 9 THEN 'failed'
                   ELSE 'waiting' END, CASE WHEN n IN (3, 4, 5) THEN now() END
            FROM (SELECT id, substr(bdrc_w_id, 2)::int AS n FROM volumes) v WHERE n <> 6
            """,
            (job.id,),
        )
        connection.execute(
            """
            INSERT INTO task_executions (job_id, volume_id, s3_etag, status, lease_expires_at, retry_at)
            SELECT %s, id, decode(repeat('ab', 16), 'hex'),
                   (CASE WHEN n = 3 THEN 'retryable_failed' ELSE 'running' END)::task_status,
                   CASE WHEN n IN (4, 6) THEN now() + interval '1 hour' WHEN n = 5 THEN now() - interval '1 s' END,
                   CASE WHEN n = 3 THEN now() + interval '1 hour' END
            FROM (SELECT id, substr(bdrc_w_id, 2)::int AS n FROM volumes) v WHERE n IN (3, 4, 5, 6)
            """,
            (job.id,),
        )
        connection.execute(
            """
            INSERT INTO workers (worker_name, hostname, job_id, last_heartbeat_at, stopped_at)
            SELECT 'w', 'h', %s, now() - age, stopped FROM (VALUES
                (interval '1 s', NULL), (interval '40 s', NULL), (interval '50 s', NULL), (interval '1 s', now())
            ) w (age, stopped)
            """,
            (job.id,),
        )
    with database.connection() as connection:
        now = backlog(connection, job.id)
        assert (now.waiting, now.running, now.blocked, now.live_workers) == (4, 2, 1, 2)
        assert (now.total, now.per_worker) == (6, 3.0)
