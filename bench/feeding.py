"""What a look of the feeder costs with 60,000 volumes waiting and 200 workers; the queue is PostgreSQL's.

Run: python bench/feeding.py
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from loguru import logger

from bec_core.db import Database, feeding, jobs, left
from bec_core.db.backlog import backlog
from bec_core.models import Job
from bec_core.queues.postgres import PostgresQueue, create_postgres_queues
from bec_core.queues.sweep import sweep
from support.services import postgres_server

VOLUMES, WORKERS, TAKEN = 60_000, 200, 40


def fill(database: Database) -> Job:
    """A job with a feeder, its volumes waiting, and as many of them running as it has workers."""
    create_postgres_queues(database, "q", "d")
    with database.connection() as connection:
        job = jobs.create(
            connection, name="j", job_type="j", config={}, queue_url="postgres:///q", dlq_url="postgres:///d"
        )
        feeding.give(connection, job.id)
        for statement in (
            f"INSERT INTO volumes (bdrc_w_id, bdrc_i_id) SELECT 'W' || n, 'I1' FROM generate_series(1, {VOLUMES}) n",
            "INSERT INTO ledger (job_id, volume_id, source) SELECT j.id, v.id, 'bdrc' FROM volumes v, jobs j",
            "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, lease_expires_at, started_at)"
            " SELECT j.id, v.id, decode(repeat('ab', 16), 'hex'), 'running', now() + interval '1 h', now()"
            f" FROM volumes v, jobs j ORDER BY v.id LIMIT {WORKERS}",
            "INSERT INTO workers (worker_name, hostname, job_id, process)"
            f" SELECT 'w', 'h', j.id, 'p' FROM jobs j, generate_series(1, {WORKERS})",
        ):
            connection.execute(statement.encode())
    with database.connection() as connection:
        connection.execute("ANALYZE")
    return job


def median_ms(call: Callable[[], object], *, before: Callable[[], object] = lambda: None) -> float:
    """The median time of ten calls."""
    times = []
    for _ in range(10):
        before()
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    logger.remove()
    with postgres_server() as server:
        database = Database(server.new_database("bench"), max_size=4)
        database.open()
        job = fill(database)
        queue = PostgresQueue("q", database)

        def look() -> int:
            return sweep(database, queue, job, queue_was_empty=False)

        def take() -> None:
            with database.connection() as connection:
                connection.execute(
                    f"DELETE FROM queue_messages WHERE id IN (SELECT id FROM queue_messages LIMIT {TAKEN})".encode()
                )

        def count() -> None:
            with database.connection() as connection:
                backlog(connection, job.id)
                left.left(connection, job.id)

        print(f"{VOLUMES:,} volumes wait, {WORKERS} workers; the first look sends {look()} messages")
        print(f"a look at a full queue    {median_ms(look):6.1f} ms")
        print(f"a look that sends {TAKEN}      {median_ms(look, before=take):6.1f} ms")
        print(f"the figures of a minute   {median_ms(count):6.1f} ms")
        database.close()


if __name__ == "__main__":
    main()
