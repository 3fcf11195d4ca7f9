"""SQL for finding a job's volumes by their standing results' figures, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Condition:
    """A figure's bounds, both included; None: none on that side. A volume that has not the figure is not found.

    ``figure`` is a metric's name, or ``pages`` or ``errors``, which every result has.
    """

    figure: str
    at_least: float | None = None
    at_most: float | None = None


@frozen
class FoundVolume:
    """A volume of a job.

    Attributes:
        volume_id: in the database.
        w_id: as in the database, with the source where it is not the archive's.
        i_id: of the volume.
        state: waiting, blocked, held, running, done or failed: what is asked for, not what stands.
        version: of the standing result, as are all that follow; None without one.
        pages, errors: how many pages it has, and how many of these failed.
        done_at: when it was done.
        metrics: its figures by name.
        marks: how many of its pages are marked how (right, wrong, rescan), by their latest marks.
    """

    volume_id: int
    w_id: str
    i_id: str
    state: str
    version: str | None
    pages: int | None
    errors: int | None
    done_at: datetime | None
    metrics: Mapping[str, float]
    marks: Mapping[str, int]


_OWN = {"pages": "s.total_images", "errors": "s.nb_errors", "id": "volume_id", "done": "s.done_at"}
"""What can be sorted by besides metrics; the first two can be asked for too."""


def search(
    connection: Connection,
    job_id: int,
    *,
    text: str = "",
    works: Sequence[str] = (),
    states: Sequence[str] = (),
    conditions: Sequence[Condition] = (),
    by: str = "id",
    descending: bool = False,
    limit: int,
    offset: int = 0,
) -> tuple[list[FoundVolume], int]:
    """The volumes of the page, and how many there are in all.

    Args:
        connection: to the database.
        job_id: the job.
        text: a W_ID or an I_ID begins so.
        works: these W_IDs are found too, whatever ``text`` is.
        states: one of these; empty: any.
        conditions: all of these hold.
        by: ``id``, ``done``, ``pages``, ``errors`` or a metric's name; volumes that have it not come last.
        descending: the other way round.
        limit: so many at most.
        offset: after so many.
    """
    values: dict[str, Any] = {
        "job": job_id, "text": text, "works": list(works), "states": list(states), "limit": limit, "offset": offset,
        "by": by,
    }  # fmt: skip
    order = _OWN.get(by, "(s.metrics ->> %(by)s::text)::float8")
    bounds = []
    for number, one in enumerate(conditions):
        values |= {f"name{number}": one.figure, f"least{number}": one.at_least, f"most{number}": one.at_most}
        figure = _OWN.get(one.figure, f"(s.metrics ->> %(name{number})s::text)::float8")
        bounds.append(
            f"AND {figure} BETWEEN coalesce(%(least{number})s::float8, '-infinity')"
            f" AND coalesce(%(most{number})s::float8, 'infinity')"
        )
    rows = connection.execute(
        f"""
        WITH l AS NOT MATERIALIZED (SELECT volume_id, state FROM ledger WHERE job_id = %(job)s),
        s AS NOT MATERIALIZED (SELECT * FROM standing_results WHERE job_id = %(job)s),
        r AS (SELECT DISTINCT volume_id FROM task_executions WHERE job_id = %(job)s AND status = 'running'),
        found AS (
            SELECT volume_id, {_STATE} AS state, count(*) OVER () AS total, {order} AS key
            FROM l FULL JOIN s USING (volume_id) LEFT JOIN r USING (volume_id) {_named(text, works)}
            WHERE (cardinality(%(states)s::text[]) = 0 OR {_STATE} = ANY(%(states)s)) {" ".join(bounds)}
            ORDER BY key {"DESC" if descending else "ASC"} NULLS LAST, volume_id LIMIT %(limit)s OFFSET %(offset)s
        )
        SELECT f.total, f.volume_id, v.bdrc_w_id, v.bdrc_i_id, f.state, s.version, s.total_images, s.nb_errors,
               s.done_at, coalesce(s.metrics, '{{}}'), {_MARKS}
        FROM found f JOIN volumes v ON v.id = f.volume_id
        LEFT JOIN standing_results s ON (s.job_id, s.volume_id) = (%(job)s, f.volume_id)
        ORDER BY f.key {"DESC" if descending else "ASC"} NULLS LAST, f.volume_id
        """,
        values,
        prepare=False,  # one plan for all questions would be a bad one for most
    ).fetchall()
    if not rows and offset:
        return [], search(
            connection, job_id, text=text, works=works, states=states, conditions=conditions, limit=1
        )[1]
    return [FoundVolume(*row[1:]) for row in rows], rows[0][0] if rows else 0


_STATE = "CASE WHEN r.volume_id IS NOT NULL THEN 'running' ELSE coalesce(l.state, 'done') END"

_MARKS = """(
    SELECT coalesce(jsonb_object_agg(judgement, number), '{}') FROM (
        SELECT judgement, count(*) AS number FROM (
            SELECT DISTINCT ON (page) judgement FROM page_marks m
            WHERE (m.job_id, m.volume_id) = (%(job)s, f.volume_id) ORDER BY page, id DESC
        ) latest GROUP BY judgement
    ) counted
)"""


def _named(text: str, works: Sequence[str]) -> str:
    """A join with the volumes whose ids begin so, or of these works; none where all will do."""
    if not text and not works:
        return ""
    begins = "starts_with(v.bdrc_i_id, %(text)s) OR starts_with(v.bdrc_w_id, %(text)s)" if text else "false"
    return f"""
        JOIN volumes v ON v.id = volume_id
            AND ({begins} OR (%(text)s <> '' AND strpos(v.bdrc_w_id, ':' || %(text)s) > 0)
                 OR v.bdrc_w_id IN (SELECT unnest(%(works)s::text[])))
    """
