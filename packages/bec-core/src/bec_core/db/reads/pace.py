"""SQL for how fast jobs go: the one figure that every screen and every estimate shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.workers import ALIVE_S

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

WINDOW_S = 1800.0
"""What was done within the last half hour tells how fast a job goes."""


@frozen
class Pace:
    """What a job did lately: ``pages`` within ``seconds`` by the clock, of finished volumes and of running ones.

    A volume that began before the window counts by the part of its time that lies in it. ``pages_at_hand`` are all
    pages that live workers have done of the volumes at hand.
    """

    pages: float
    seconds: float
    pages_at_hand: int

    @property
    def pages_per_s(self) -> float | None:
        """Pages per second of the whole job; None if it did none."""
        return self.pages / self.seconds if self.pages and self.seconds else None


AT_HAND = """
    SELECT w.job_id, (entry ->> 'pages_done')::int AS pages_done,
           (entry ->> 'pages_done')::int - coalesce((entry ->> 'pages_resumed')::int, 0) AS pages,
           heard_s + (entry ->> 'seconds')::float8 AS began_s, heard_s AS ended_s
    FROM workers w, jsonb_array_elements(w.activity) AS entry,
         LATERAL (SELECT extract(epoch FROM statement_timestamp() - w.last_heartbeat_at)::float8) h (heard_s)
    WHERE w.job_id IS NOT NULL AND (%(job)s::int IS NULL OR w.job_id = %(job)s)
      AND w.stopped_at IS NULL AND heard_s < %(alive)s
"""
"""What live workers (heard of within ``%(alive)s`` seconds) have at hand, of job ``%(job)s`` or, NULL, of all: the
pages that are done, those of this attempt alone, and when it began and was heard of last, in seconds before now."""

_NONE = Pace(0.0, 0.0, 0)


def pace(connection: Connection, job_id: int) -> Pace:
    """How fast the job goes."""
    return paces(connection, job_id).get(job_id, _NONE)


def paces(connection: Connection, job_id: int | None = None) -> Mapping[int, Pace]:
    """The pace of every job (or of one) that did anything lately or has something at hand."""
    rows = connection.execute(
        f"""
        WITH done AS (
            SELECT j.id AS job_id, f.* FROM jobs j CROSS JOIN LATERAL (
                SELECT coalesce(total_images, 0)::float8 - pages_resumed AS pages,
                       extract(epoch FROM statement_timestamp() - started_at)::float8 AS began_s,
                       extract(epoch FROM statement_timestamp() - done_at)::float8 AS ended_s
                FROM task_executions t
                WHERE t.job_id = j.id AND t.status = 'done'
                  AND t.done_at > statement_timestamp() - make_interval(secs => %(window)s)
            ) f WHERE %(job)s::int IS NULL OR j.id = %(job)s
        ), at_hand AS ({AT_HAND}), spans AS (
            SELECT job_id, pages, coalesce(began_s, ended_s) AS began_s, ended_s FROM done
            UNION ALL
            SELECT job_id, pages, began_s, ended_s FROM at_hand WHERE pages > 0 AND began_s IS NOT NULL
        )
        SELECT job_id, coalesce(s.pages, 0)::float8, coalesce(s.seconds, 0)::float8, coalesce(h.pages, 0)::bigint
        FROM (
            SELECT job_id, sum(pages * CASE WHEN began_s > %(window)s AND began_s > ended_s
                                            THEN (%(window)s - ended_s) / (began_s - ended_s) ELSE 1 END) AS pages,
                   least(max(began_s), %(window)s) AS seconds
            FROM spans GROUP BY job_id
        ) s FULL JOIN (SELECT job_id, sum(pages_done) AS pages FROM at_hand GROUP BY job_id) h USING (job_id)
        """.encode(),
        {"window": WINDOW_S, "alive": ALIVE_S, "job": job_id},
    )
    return {row[0]: Pace(*row[1:]) for row in rows}
