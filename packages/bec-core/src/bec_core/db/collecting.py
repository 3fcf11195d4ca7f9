"""SQL for ``bec gc``: which of a job's results are superseded, and what was removed of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.requeue import ref_of
from bec_core.models import VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Result:
    """A done task of a job, and where its artifacts lie.

    Attributes:
        task_id: its row.
        ref: the volume.
        root: the first folder of its artifacts.
        version: their last folder.
        superseded: the volume was done since at its present version, and no result of a job that reads this one
            stands on it any more.
    """

    task_id: int
    ref: VolumeRef
    root: str
    version: str
    superseded: bool


def results(connection: Connection, job_id: int) -> list[Result]:
    """The job's done tasks whose artifacts were not removed, as far as it is known where those lie."""
    rows = connection.execute(
        """
        WITH done AS (
            SELECT t.id, t.volume_id, t.s3_etag, t.artifact_root, t.version,
                   row_number() OVER (PARTITION BY t.volume_id ORDER BY t.done_at DESC NULLS LAST, t.id DESC) AS n
            FROM task_executions t WHERE t.job_id = %(job)s AND t.status = 'done' AND t.collected_at IS NULL
        ), newest AS (SELECT * FROM done WHERE n = 1)
        SELECT d.id, v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, d.artifact_root, d.version,
               d.n > 1 AND newest.s3_etag = v.last_s3_etag AND d.s3_etag <> newest.s3_etag
               AND NOT EXISTS (
                   SELECT FROM job_inputs i CROSS JOIN LATERAL (
                       SELECT r.s3_etag FROM task_executions r
                       WHERE (r.job_id, r.volume_id) = (i.job_id, d.volume_id) AND r.status IN ('done', 'running')
                       ORDER BY r.done_at DESC NULLS FIRST LIMIT 1) r
                   WHERE i.input_job_id = %(job)s AND r.s3_etag = d.s3_etag)
        FROM done d JOIN newest USING (volume_id) JOIN volumes v ON v.id = d.volume_id
        LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (%(job)s, d.volume_id)
        WHERE d.artifact_root IS NOT NULL AND d.version IS NOT NULL
        ORDER BY v.bdrc_w_id, v.bdrc_i_id, d.n
        """,
        {"job": job_id},
    )
    return [Result(row[0], ref_of(*row[1:5]), row[5], row[6], bool(row[7])) for row in rows]


def at_hand(connection: Connection) -> set[tuple[str, str]]:
    """The volumes (``bdrc_w_id`` and ``bdrc_i_id``) that some worker of any job has at hand, or had a moment ago."""
    rows = connection.execute(
        """
        SELECT DISTINCT v.bdrc_w_id, v.bdrc_i_id FROM task_executions t JOIN volumes v ON v.id = t.volume_id
        WHERE t.status = 'running'
        """
    )
    return {(row[0], row[1]) for row in rows}


def roots_of_others(connection: Connection, job_id: int) -> set[str]:
    """The first folders in which other jobs' artifacts lie, too."""
    rows = connection.execute(
        """
        SELECT artifact_root FROM jobs WHERE id <> %(job)s AND artifact_root IS NOT NULL
        UNION SELECT artifact_root FROM task_executions WHERE job_id <> %(job)s AND artifact_root IS NOT NULL
        """,
        {"job": job_id},
    )
    return {row[0] for row in rows}


def note_collected(connection: Connection, task_ids: Sequence[int]) -> None:
    """Say that these tasks' artifacts were removed."""
    connection.execute(
        "UPDATE task_executions SET collected_at = clock_timestamp() WHERE id = ANY(%s::bigint[]) AND status = 'done'",
        (list(task_ids),),
    )


def answered(connection: Connection, job_id: int, refs: Sequence[VolumeRef]) -> set[VolumeRef]:
    """Those of these volumes that the job has done, or is asked for again: their dead letters say nothing any more."""
    rows = connection.execute(
        """
        SELECT letter.n FROM unnest(%(w)s::text[], %(i)s::text[]) WITH ORDINALITY AS letter (w, i, n)
        JOIN volumes v ON (v.bdrc_w_id, v.bdrc_i_id) = (letter.w, letter.i)
        JOIN ledger l ON (l.job_id, l.volume_id) = (%(job)s, v.id) AND l.state <> 'failed'
        """,
        {"w": [ref.db_w_id for ref in refs], "i": [ref.i_id for ref in refs], "job": job_id},
    )
    return {refs[row[0] - 1] for row in rows}
