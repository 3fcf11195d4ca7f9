"""SQL for a worker that finds its queue empty: what the ledger says is left of its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db import blocking
from bec_core.models import JobStatus

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Left:
    """The ledger entries of a job that wait, by why.

    Attributes:
        due: nothing keeps them from being worked on: a message for each is, or should be, in the queue.
        backing_off: failed or put off a moment ago.
        running: under a lease that is alive.
        next_s: seconds until the first of those backing off or running may be due; None without any.
        blocked: those that don't wait but are blocked: an input of theirs is not done.
        coming: of the blocked, those whose inputs will be done: they are asked for where they are missing.
        ready: of the blocked, those whose inputs are done by now: whoever looks releases them.
        held: held back until the job's canary has passed; not waiting.
    """

    due: int
    backing_off: int
    running: int
    next_s: float | None
    blocked: int = 0
    coming: int = 0
    ready: int = 0
    held: int = 0

    @property
    def total(self) -> int:
        """All that wait."""
        return self.due + self.backing_off + self.running

    @property
    def over(self) -> bool:
        """Whether nothing is left: a worker ends then, and a fleet goes down to zero."""
        return self.total == 0 and self.coming == 0 and self.held == 0


def left(connection: Connection, job_id: int) -> Left:
    """What is left of a job."""
    row = connection.execute(
        """
        SELECT count(*) FILTER (WHERE until IS NULL),
               count(*) FILTER (WHERE until IS NOT NULL AND NOT leased),
               count(*) FILTER (WHERE until IS NOT NULL AND leased),
               extract(epoch FROM min(until) - statement_timestamp())::float8,
               (SELECT count(*) FROM ledger WHERE job_id = %(job)s AND state = 'held')
        FROM (
            SELECT t.until, t.leased FROM ledger l LEFT JOIN LATERAL (
                SELECT max(greatest(lease_expires_at, retry_at)) AS until,
                       coalesce(bool_or(lease_expires_at > statement_timestamp()), false) AS leased
                FROM task_executions
                WHERE (job_id, volume_id) = (l.job_id, l.volume_id)
                  AND status IN ('running', 'retryable_failed')
                  AND greatest(lease_expires_at, retry_at) > statement_timestamp()
            ) t ON true
            WHERE l.job_id = %(job)s AND l.state = 'waiting'
        ) one
        """,
        {"job": job_id},
    ).fetchone()
    assert row is not None
    due, backing_off, running, next_s, held = row
    return Left(due, backing_off, running, next_s, *blocking.blocked(connection, job_id), held)


def job_status(connection: Connection, job_id: int) -> JobStatus | None:
    """The job's status; None if it was deleted."""
    row = connection.execute("SELECT status FROM jobs WHERE id = %s", (job_id,)).fetchone()
    return JobStatus(row[0]) if row else None
