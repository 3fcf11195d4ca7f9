"""SQL for how a job went in the stretches of time just past: what an estimate of the rest is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.reads.pace import AT_HAND

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Window:
    """A stretch of time: the pages that were done in it, and the seconds that workers lived in it, added up."""

    pages: float
    worker_s: float


def windows(
    connection: Connection, job_id: int, *, window_s: float, number: int, alive_s: float
) -> list[Window]:
    """The latest ``number`` stretches of ``window_s`` seconds, the oldest first.

    A volume's pages count evenly over its time, those of a running one as far as its live worker has said. A worker
    lived until it stopped, or was heard of last.
    """
    rows = connection.execute(
        f"""
        WITH stretch AS (
            SELECT n, (n + 1) * %(window)s AS older, n * %(window)s AS newer
            FROM generate_series(0, %(number)s - 1) AS n
        ), at_hand AS ({AT_HAND}), done AS (
            SELECT coalesce(total_images, 0)::float8 - pages_resumed AS pages,
                   extract(epoch FROM statement_timestamp() - coalesce(started_at, done_at))::float8 AS began,
                   extract(epoch FROM statement_timestamp() - done_at)::float8 AS ended
            FROM task_executions
            WHERE job_id = %(job)s AND status = 'done'
              AND done_at > statement_timestamp() - make_interval(secs => %(window)s * %(number)s)
        ), work AS (
            SELECT pages, began, ended FROM done UNION ALL SELECT pages, began_s, ended_s FROM at_hand
        ), living AS (
            SELECT extract(epoch FROM statement_timestamp() - started_at)::float8 AS began,
                   CASE WHEN stopped_at IS NULL AND last_heartbeat_at
                             > statement_timestamp() - make_interval(secs => %(alive)s) THEN 0
                        ELSE extract(epoch FROM statement_timestamp() - coalesce(stopped_at, last_heartbeat_at))
                   END::float8 AS ended
            FROM workers WHERE job_id = %(job)s
              AND coalesce(stopped_at, last_heartbeat_at)
                  > statement_timestamp() - make_interval(secs => %(window)s * %(number)s)
        )
        SELECT (SELECT coalesce(sum(pages * CASE
                    WHEN began > ended THEN greatest(0, least(began, older) - greatest(ended, newer)) / (began - ended)
                    ELSE (ended >= newer AND ended < older)::int END), 0)::float8
                FROM work WHERE pages > 0 AND began >= newer AND ended < older),
               (SELECT coalesce(sum(greatest(0, least(began, older) - greatest(ended, newer))), 0)::float8
                FROM living)
        FROM stretch ORDER BY n DESC
        """.encode(),
        {"job": job_id, "window": window_s, "number": number, "alive": alive_s},
    )
    return [Window(*row) for row in rows]
