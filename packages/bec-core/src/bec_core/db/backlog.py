"""SQL for a job's backlog: what is left for its workers, as scaling, feeding and alarms count it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.workers import ALIVE_S

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Backlog:
    """The work of a job that its workers could do now, by the ledger.

    Attributes:
        waiting: volumes asked for that nobody works on, whether their message was sent or not, in back-off or not.
        running: volumes under a live lease.
        blocked: volumes whose inputs are not done; no part of the backlog.
        live_workers: workers that did not stop, and were heard of lately.
    """

    waiting: int
    running: int
    blocked: int
    live_workers: int

    @property
    def total(self) -> int:
        """Waiting and running."""
        return self.waiting + self.running

    @property
    def per_worker(self) -> float:
        """The backlog of one worker; without any live one, that of the first to come."""
        return self.total / max(1, self.live_workers)


def backlog(connection: Connection, job_id: int) -> Backlog:
    """The job's backlog now."""
    row = connection.execute(
        """
        WITH running AS (
            SELECT count(DISTINCT t.volume_id) AS volumes,
                   count(DISTINCT t.volume_id) FILTER (WHERE l.state = 'waiting') AS waiting
            FROM task_executions t LEFT JOIN ledger l USING (job_id, volume_id)
            WHERE t.job_id = %(job)s AND t.status = 'running' AND t.lease_expires_at > statement_timestamp()
        ), asked AS (
            SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
                   count(*) FILTER (WHERE state = 'blocked') AS blocked
            FROM ledger WHERE job_id = %(job)s AND state IN ('waiting', 'blocked')
        )
        SELECT asked.waiting - running.waiting, running.volumes, asked.blocked, (
            SELECT count(*) FROM workers w
            WHERE w.job_id = %(job)s AND w.stopped_at IS NULL
              AND w.last_heartbeat_at > statement_timestamp() - make_interval(secs => %(alive)s)
        ) FROM asked, running
        """,
        {"job": job_id, "alive": ALIVE_S},
    ).fetchone()
    assert row is not None
    return Backlog(*row)
