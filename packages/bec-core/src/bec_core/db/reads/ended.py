"""SQL for what ended last in a job, well or badly: what health and the brake judge it by."""

from __future__ import annotations

from attrs import frozen

from bec_core.db.tasks import HANDED_BACK


@frozen
class Cause:
    """The commonest cause of failure among the volumes that ended last, with its latest message."""

    fingerprint: str
    stage: str
    error_type: str
    volumes: int
    message: str


_COLUMNS = (
    "done_at, status <> 'done' AS failed, error_fingerprint, error_stage, error_type, error_message,"
    " total_images, nb_errors"
)


def ended_sql(*, since: str, counts: str = "true") -> str:
    """A ``WITH`` over job ``%(job)s``: ``ended``, ``latest`` (``%(latest)s`` of them), ``past`` (before) and ``cause``.

    Args:
        since: SQL, a time; what ended before is not among the latest.
        counts: SQL over a failed row: whether it is counted. A hand-back of a worker that stopped never is.
    """
    return f"""
    WITH ended AS (
        SELECT *, row_number() OVER (ORDER BY done_at DESC) AS place FROM (
            (SELECT {_COLUMNS} FROM task_executions t WHERE job_id = %(job)s AND status = 'done'
             ORDER BY done_at DESC LIMIT %(most)s)
            UNION ALL
            (SELECT {_COLUMNS} FROM task_executions t
             WHERE job_id = %(job)s AND status IN ('retryable_failed', 'terminal_failed') AND NOT {HANDED_BACK}
               AND ({counts}) AND done_at IS NOT NULL ORDER BY done_at DESC LIMIT %(most)s)
        ) one
    ), latest AS (
        SELECT * FROM ended WHERE place <= %(latest)s AND done_at > {since}
    ), past AS (
        SELECT * FROM ended WHERE place > %(latest)s AND place <= %(most)s
    ), cause AS (
        SELECT coalesce(error_fingerprint, '-') AS fingerprint, coalesce(error_stage, '-') AS stage,
               coalesce(error_type, '-') AS kind, count(*) AS volumes,
               coalesce((array_agg(error_message ORDER BY done_at DESC))[1], '') AS message
        FROM latest WHERE failed GROUP BY 1, 2, 3 ORDER BY count(*) DESC, max(done_at) DESC LIMIT 1
    )
    """
