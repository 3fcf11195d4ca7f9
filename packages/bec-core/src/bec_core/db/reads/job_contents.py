"""SQL for what belongs to a job: how much a deletion takes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.workers import ALIVE_S

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class JobContents:
    """How many rows hang on a job, and how many of its workers live."""

    tasks: int
    ledger_entries: int
    live_workers: int
    marks: int


def of(connection: Connection, job_id: int) -> JobContents:
    """Count what belongs to the job."""
    row = connection.execute(
        """
        SELECT (SELECT count(*) FROM task_executions WHERE job_id = %(job)s),
               (SELECT count(*) FROM ledger WHERE job_id = %(job)s),
               (SELECT count(*) FROM workers WHERE job_id = %(job)s AND stopped_at IS NULL
                       AND last_heartbeat_at > statement_timestamp() - make_interval(secs => %(alive)s)),
               (SELECT count(*) FROM page_marks WHERE job_id = %(job)s)
        """,
        {"job": job_id, "alive": ALIVE_S},
    ).fetchone()
    assert row is not None
    return JobContents(*row)
