"""SQL for plans: what a job was asked for and has not done, and what its latest volumes took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.models import VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


def to_do(connection: Connection, job_id: int) -> list[tuple[VolumeRef, int | None]]:
    """The volumes that wait, are blocked or held back, by name, each with its number of pages (None: unknown)."""
    rows = connection.execute(
        """
        SELECT v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, v.nb_images
        FROM ledger l JOIN volumes v ON v.id = l.volume_id
        WHERE l.job_id = %s AND l.state IN ('waiting', 'blocked', 'held') ORDER BY v.bdrc_w_id, v.bdrc_i_id
        """,
        (job_id,),
    )
    return [
        (VolumeRef(w.rpartition(":")[2], i, source, version), pages) for w, i, source, version, pages in rows
    ]


@frozen
class DoneVolume:
    """A volume that is done: where it lies, its pages, and what it took by the clock."""

    w_id: str
    i_id: str
    etag: bytes
    version: str | None
    root: str | None
    pages: int
    seconds: float


def latest_done(connection: Connection, job_id: int, *, limit: int) -> list[DoneVolume]:
    """The volumes done last that have pages and were timed as a whole by the clock, the latest first."""
    rows = connection.execute(
        """
        SELECT v.bdrc_w_id, v.bdrc_i_id, t.s3_etag, t.version, t.artifact_root, t.total_images,
               t.wall_clock_duration_ms / 1000
        FROM task_executions t JOIN volumes v ON v.id = t.volume_id
        WHERE t.job_id = %s AND t.status = 'done' AND t.total_images > 0 AND t.wall_clock_duration_ms > 0
          AND t.pages_resumed = 0
        ORDER BY t.done_at DESC NULLS LAST LIMIT %s
        """,
        (job_id, limit),
    )
    return [DoneVolume(row[0].rpartition(":")[2], *row[1:]) for row in rows]
