"""SQL for taking over results that only the store knows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from bec_core.models import VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


def known(connection: Connection, job_id: int) -> set[tuple[str, str, str]]:
    """``W_ID``, ``I_ID`` and version of what the job's rows say is done."""
    rows = connection.execute(
        "SELECT v.bdrc_w_id, v.bdrc_i_id, t.version FROM task_executions t JOIN volumes v ON v.id = t.volume_id"
        " WHERE t.job_id = %s AND t.status = 'done' AND t.version IS NOT NULL",
        (job_id,),
    )
    return {(row[0].rpartition(":")[2], row[1], row[2]) for row in rows}


def complete(
    connection: Connection,
    job_id: int,
    volume_id: int,
    ref: VolumeRef,
    *,
    etag: bytes,
    pages: int,
    request: int,
    done_at: datetime,
) -> None:
    """What a marker tells besides its task: when that was done, the volume's version and pages, that it was asked for.

    What is known of the volume already stays; so the newest version is to come first.
    """
    connection.execute(
        "UPDATE task_executions SET done_at = %(at)s, started_at = coalesce(started_at, %(at)s)"
        " WHERE (job_id, volume_id, s3_etag) = (%(job)s, %(volume)s, %(etag)s::bytea)",
        {"at": done_at, "job": job_id, "volume": volume_id, "etag": etag},
    )
    connection.execute(
        "UPDATE volumes SET last_s3_etag = %s, nb_images = coalesce(nb_images, %s)"
        " WHERE id = %s AND last_s3_etag IS NULL",
        (etag, pages, volume_id),
    )
    connection.execute(
        "INSERT INTO ledger (job_id, volume_id, source, i_version, state, request, requested_at, changed_at)"
        " VALUES (%(job)s, %(volume)s, %(source)s, %(version)s, 'done', %(request)s, %(at)s, %(at)s)"
        " ON CONFLICT (job_id, volume_id) DO NOTHING",
        {
            "job": job_id,
            "volume": volume_id,
            "source": ref.source,
            "version": ref.i_version,
            "request": request,
            "at": done_at,
        },
    )
