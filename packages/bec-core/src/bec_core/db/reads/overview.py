"""SQL for the live screen: everything at a glance, in few and cheap statements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.tasks import HANDED_BACK

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


def ledger_counts(connection: Connection) -> Mapping[int, Mapping[str, int]]:
    """The ledger's entries of every job by state; an index-only scan."""
    counts: dict[int, dict[str, int]] = {}
    for job_id, state, number in connection.execute(
        "SELECT job_id, state, count(*) FROM ledger GROUP BY job_id, state"
    ):
        counts.setdefault(job_id, {})[state] = number
    return counts


@frozen
class RecentPace:
    """What a job finished within the last ``seconds``."""

    tasks: int
    pages: int
    seconds: float


def paces(connection: Connection, *, window_s: float) -> Mapping[int, RecentPace]:
    """The pace of every job that finished anything within the window."""
    rows = connection.execute(
        """
        SELECT j.id, p.tasks, p.pages, p.seconds FROM jobs j CROSS JOIN LATERAL (
            SELECT count(*) AS tasks, coalesce(sum(total_images), 0) AS pages,
                   extract(epoch FROM statement_timestamp() - greatest(min(started_at),
                           statement_timestamp() - make_interval(secs => %(window)s)))::float8 AS seconds
            FROM task_executions t
            WHERE t.job_id = j.id AND t.status = 'done'
              AND t.done_at > statement_timestamp() - make_interval(secs => %(window)s)
        ) p WHERE p.tasks > 0
        """,
        {"window": window_s},
    )
    return {row[0]: RecentPace(*row[1:]) for row in rows}


@frozen
class LastError:
    """A failure, for a line of the screen."""

    task_id: int
    job_name: str
    volume: str
    status: str
    error_type: str | None
    message: str | None
    at: datetime | None


def last_errors(connection: Connection, *, limit: int) -> list[LastError]:
    """The failures that happened last, of all jobs."""
    rows = connection.execute(
        f"""
        SELECT t.id, j.name, v.bdrc_w_id || '/' || v.bdrc_i_id, t.status, t.error_type, t.error_message, t.done_at
        FROM task_executions t JOIN jobs j ON j.id = t.job_id JOIN volumes v ON v.id = t.volume_id
        WHERE t.status IN ('retryable_failed', 'terminal_failed') AND NOT {HANDED_BACK}
        ORDER BY t.done_at DESC NULLS LAST LIMIT %s
        """,
        (limit,),
    )
    return [LastError(*row) for row in rows]
