"""SQL for a job's past, to be drawn: what was done in each stretch of time, and what took longest lately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Stretch:
    """What ended in a stretch of time: ``pages`` of ``volumes`` volumes that got done, and ``failed`` ones."""

    pages: int
    volumes: int
    failed: int


def stretches(connection: Connection, job_id: int, *, stretch_s: float, number: int) -> list[Stretch]:
    """The latest ``number`` stretches of ``stretch_s`` seconds up to now, the oldest first.

    A volume counts where it ended, with all its pages. An index-only scan of ``task_executions_stats``.
    """
    rows = connection.execute(
        """
        SELECT least(greatest(floor(extract(epoch FROM statement_timestamp() - done_at)::float8 / %(stretch)s), 0),
                     %(number)s - 1)::int,
               coalesce(sum(total_images) FILTER (WHERE status = 'done'), 0)::bigint,
               count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status <> 'done')
        FROM task_executions
        WHERE job_id = %(job)s
          AND done_at > statement_timestamp() - make_interval(secs => %(stretch)s::float8 * %(number)s)
          AND status IN ('done', 'terminal_failed')
        GROUP BY 1
        """,
        {"job": job_id, "stretch": stretch_s, "number": number},
    )
    found = {row[0]: Stretch(*row[1:]) for row in rows}
    return [found.get(place, Stretch(0, 0, 0)) for place in reversed(range(number))]


@frozen
class SlowVolume:
    """A volume that took long by the clock, in seconds."""

    task_id: int
    volume: str
    duration_s: float
    pages: int | None


def slowest(connection: Connection, job_id: int, *, latest: int, limit: int) -> list[SlowVolume]:
    """Those of the ``latest`` volumes done that took longest, the slowest first."""
    rows = connection.execute(
        """
        SELECT t.id, v.bdrc_w_id || '/' || v.bdrc_i_id, t.wall_clock_duration_ms / 1000, t.total_images
        FROM (SELECT id, volume_id, wall_clock_duration_ms, total_images FROM task_executions
              WHERE job_id = %s AND status = 'done' ORDER BY done_at DESC LIMIT %s) t
        JOIN volumes v ON v.id = t.volume_id
        WHERE t.wall_clock_duration_ms IS NOT NULL ORDER BY t.wall_clock_duration_ms DESC, t.id LIMIT %s
        """,
        (job_id, latest, limit),
    )
    return [SlowVolume(*row) for row in rows]
