"""SQL for queueing tasks again: choosing them by what became of them, and freeing them for a claim."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.models import TaskStatus, VolumeRef, tells_source

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


def jobs_of_queue(connection: Connection, queue_url: str) -> list[int]:
    """The ids of the jobs that take their tasks from this queue."""
    return [
        row[0]
        for row in connection.execute("SELECT id FROM jobs WHERE queue_url = %s ORDER BY id", (queue_url,))
    ]


def free(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> None:
    """Let failed tasks of these volumes be claimed at once, with no failures counted."""
    connection.execute(
        "UPDATE task_executions SET retry_at = NULL, failures = 0, lost = 0, runtime_faults = 0, first_fault_at = NULL"
        " WHERE job_id = %s AND volume_id = ANY(%s::int[]) AND status IN ('retryable_failed', 'terminal_failed')",
        (job_id, list(volume_ids)),
    )


@frozen
class FailedVolume:
    """A volume whose latest task failed, and why; ``source_known`` unless nothing tells its folder any more."""

    volume_id: int
    ref: VolumeRef
    status: TaskStatus
    error_type: str | None
    source_known: bool = True


def failed_volumes(
    connection: Connection,
    job_id: int,
    *,
    statuses: Sequence[TaskStatus],
    error_type: str | None = None,
    stage: str | None = None,
    fingerprint: str | None = None,
    since: datetime | None = None,
    sample: int | None = None,
) -> list[FailedVolume]:
    """The volumes whose latest task has one of ``statuses`` and fits the rest; ``sample`` picks that many at random."""
    rows = connection.execute(
        f"""
        WITH latest AS (
            SELECT DISTINCT ON (volume_id) volume_id, status, error_type, error_stage, error_fingerprint, done_at
            FROM task_executions
            WHERE job_id = %(job)s AND volume_id IN (
                SELECT volume_id FROM task_executions
                WHERE job_id = %(job)s AND status = ANY(%(statuses)s::task_status[])
                  AND (%(fingerprint)s::text IS NULL OR error_fingerprint = %(fingerprint)s)
            )
            ORDER BY volume_id, started_at DESC NULLS LAST, id DESC
        )
        SELECT t.volume_id, v.bdrc_w_id, v.bdrc_i_id, coalesce(l.source, ''), l.i_version, t.status, t.error_type
        FROM latest t JOIN volumes v ON v.id = t.volume_id
        LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (%(job)s, t.volume_id)
        WHERE t.status = ANY(%(statuses)s::task_status[])
          AND (%(error_type)s::text IS NULL OR t.error_type = %(error_type)s)
          AND (%(stage)s::text IS NULL OR t.error_stage = %(stage)s)
          AND (%(fingerprint)s::text IS NULL OR t.error_fingerprint = %(fingerprint)s)
          AND (%(since)s::timestamptz IS NULL OR t.done_at >= %(since)s)
        ORDER BY {"random()" if sample is not None else "v.bdrc_w_id, v.bdrc_i_id"}
        LIMIT %(sample)s
        """.encode(),
        {
            "job": job_id,
            "statuses": [status.value for status in statuses],
            "error_type": error_type,
            "stage": stage,
            "fingerprint": fingerprint,
            "since": since,
            "sample": sample,
        },
    )
    return [
        FailedVolume(
            row[0],
            ref_of(row[1], row[2], row[3] or None, row[4]),
            TaskStatus(row[5]),
            row[6],
            source_known=bool(row[3]) or tells_source(row[1]),
        )
        for row in rows
    ]


def ref_of(db_w_id: str, i_id: str, source: str | None, i_version: str | None) -> VolumeRef:
    """The volume of a row: without a ledger entry, its source is what prefixes its id."""
    prefix, _, w_id = db_w_id.rpartition(":")
    if source is None:
        return VolumeRef(w_id, i_id, prefix, i_version) if prefix else VolumeRef(w_id, i_id)
    return VolumeRef(w_id, i_id, source, i_version)
