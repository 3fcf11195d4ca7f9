"""SQL for where the artifacts of finished tasks lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bec_core.db.pool import Connection
    from bec_core.models import VolumeRef


def of_task(connection: Connection, job_id: int, ref: VolumeRef, version: str) -> str | None:
    """The first folder of the artifacts of a volume's version; None where no finished task's row says it."""
    row = connection.execute(
        "SELECT t.artifact_root FROM task_executions t JOIN volumes v ON v.id = t.volume_id"
        " WHERE t.job_id = %s AND (v.bdrc_w_id, v.bdrc_i_id, t.version) = (%s, %s, %s) AND t.status = 'done'"
        "   AND t.artifact_root IS NOT NULL ORDER BY t.done_at DESC NULLS LAST LIMIT 1",
        (job_id, ref.db_w_id, ref.i_id, version),
    ).fetchone()
    return row[0] if row else None
