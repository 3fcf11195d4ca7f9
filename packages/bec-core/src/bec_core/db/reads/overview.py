"""SQL for the live screen."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.tasks import HANDED_BACK

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


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


def last_errors(connection: Connection, *, limit: int, job_id: int | None = None) -> list[LastError]:
    """The failures that happened last, of all jobs or of one; a drain is none."""
    rows = connection.execute(
        f"""
        SELECT t.id, j.name, v.bdrc_w_id || '/' || v.bdrc_i_id, t.status, t.error_type, t.error_message, t.done_at
        FROM task_executions t JOIN jobs j ON j.id = t.job_id JOIN volumes v ON v.id = t.volume_id
        WHERE t.status IN ('retryable_failed', 'terminal_failed') AND NOT {HANDED_BACK}
          AND (%(job)s::int IS NULL OR t.job_id = %(job)s)
        ORDER BY t.done_at DESC NULLS LAST LIMIT %(limit)s
        """.encode(),
        {"limit": limit, "job": job_id},
    )
    return [LastError(*row) for row in rows]
