"""SQL for finding a job's volumes by their standing results' figures, page by page."""

from __future__ import annotations

import re
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
        "job": job_id, "text": text, "begins": _like(text), "works": list(works), "states": list(states), "by": by,
        "limit": limit, "offset": offset,
    }  # fmt: skip
    figure = _figure(by, "by")
    bounds = []
    for number, one in enumerate(conditions):
        values |= {f"name{number}": one.figure, f"least{number}": one.at_least, f"most{number}": one.at_most}
        has = _figure(one.figure, f"name{number}")
        sides = [
            *([f"{has} >= %(least{number})s::float8"] if one.at_least is not None else []),
            *([f"{has} <= %(most{number})s::float8"] if one.at_most is not None else []),
        ]
        bounds += sides or [f"{has} IS NOT NULL"]
    if not (text or works or states or bounds):
        total = _one(connection, _ALL, values)
        found: list[int] | None
        if by == "id":
            found = _by_id(connection, values, total, descending=descending)
        else:
            found = _first_by_figure(connection, values, figure, descending=descending)
        if found is not None:
            return _shown(connection, job_id, found), total
    where, named = [*bounds], _named(text, works)
    if states:
        where.append(f"{_STATE} = ANY(%(states)s)")
    if named or states:  # what runs without an entry or a result is not the job's yet
        where.append("(l.volume_id IS NOT NULL OR s.volume_id IS NOT NULL)")
    if bounds and not named and by == "id":
        figure = (
            "volume_id + 0"  # in the index's order each row would be looked up, though all must be counted
        )
    rows = connection.execute(
        f"""
        WITH {_OF_JOB}
        SELECT volume_id, count(*) OVER ()
        FROM {_sources(named, is_figure=bool(bounds), states=states)}
        {"LEFT JOIN r USING (volume_id)" if states else ""}
        {"WHERE " + " AND ".join(where) if where else ""}
        ORDER BY {figure} {"DESC" if descending else "ASC"} NULLS LAST, volume_id LIMIT %(limit)s OFFSET %(offset)s
        """.encode(),
        values,
        prepare=False,  # one plan for all questions would be a bad one for most
    ).fetchall()
    if not rows and offset:
        return [], search(
            connection, job_id, text=text, works=works, states=states, conditions=conditions, limit=1
        )[1]
    return _shown(connection, job_id, [row[0] for row in rows]), rows[0][1] if rows else 0


_OF_JOB = """
    l AS NOT MATERIALIZED (SELECT volume_id, state FROM ledger WHERE job_id = %(job)s),
    s AS NOT MATERIALIZED (SELECT * FROM standing_results WHERE job_id = %(job)s),
    r AS (SELECT DISTINCT volume_id FROM task_executions WHERE job_id = %(job)s AND status = 'running')
"""

_STATE = "CASE WHEN r.volume_id IS NOT NULL THEN 'running' ELSE coalesce(l.state, 'done') END"

_ALL = f"WITH {_OF_JOB} SELECT count(*) FROM l FULL JOIN s USING (volume_id)"
"""Two primary keys are walked in parallel: no row is looked at."""


def _figure(name: str, parameter: str) -> str:
    """What a result ``s`` has of a figure, or what else can be sorted by; its name is the statement's parameter."""
    return _OWN.get(name, f"(s.metrics ->> %({parameter})s::text)::float8")


def _like(text: str) -> str:
    """A pattern of what begins so."""
    return re.sub(r"([\\%_])", r"\\\1", text) + "%"


def _named(text: str, works: Sequence[str]) -> str:
    """Which volumes ``v`` have ids that begin so, or are of these works; nothing where all will do."""
    of_text = (
        "v.bdrc_i_id LIKE %(begins)s OR v.bdrc_w_id LIKE %(begins)s OR v.bdrc_w_id LIKE '%%:' || %(begins)s"
    )
    of_works = "v.bdrc_w_id = ANY(%(works)s::text[])"
    return " OR ".join([*([of_text] if text else []), *([of_works] if works else [])])


def _sources(named: str, *, is_figure: bool, states: Sequence[str]) -> str:
    """From what it is told which volumes are found: the narrowest that has them all, whatever else is asked of them.

    What is asked for by its figures has a result; what is in some other state than done is in the ledger or running.
    """
    if named:
        return f"""
            (SELECT v.id AS volume_id FROM volumes v WHERE {named}) v
            LEFT JOIN l USING (volume_id) LEFT JOIN s USING (volume_id)"""
    if is_figure:
        return "s LEFT JOIN l USING (volume_id)" if states else "s"
    if states and "done" not in states:
        running = "UNION SELECT volume_id FROM r" if "running" in states else ""
        return f"""
            (SELECT volume_id FROM l WHERE state = ANY(%(states)s) {running}) v
            LEFT JOIN l USING (volume_id) LEFT JOIN s USING (volume_id)"""
    return "l FULL JOIN s USING (volume_id)"


def _one(connection: Connection, statement: str, values: Mapping[str, Any]) -> int:
    row = connection.execute(statement.encode(), values, prepare=False).fetchone()
    assert row is not None
    return int(row[0])


def _by_id(connection: Connection, values: Mapping[str, Any], total: int, *, descending: bool) -> list[int]:
    """A page of all volumes by their ids: as many as lie before it are walked, from whichever end is nearer."""
    first, last = min(values["offset"], total), min(values["offset"] + values["limit"], total)
    if first == last:
        return []
    from_end = first > total - last
    skipped = total - last if from_end else first
    order = "DESC" if descending != from_end else "ASC"
    each = f"ORDER BY volume_id {order} LIMIT %(reach)s"
    rows = connection.execute(
        f"""
        (SELECT volume_id FROM ledger WHERE job_id = %(job)s {each})
        UNION (SELECT volume_id FROM standing_results WHERE job_id = %(job)s {each})
        ORDER BY volume_id {order} LIMIT %(number)s OFFSET %(skipped)s
        """.encode(),
        {**values, "reach": skipped + last - first, "number": last - first, "skipped": skipped},
        prepare=False,
    )
    found = [row[0] for row in rows]
    return found[::-1] if from_end else found


def _first_by_figure(
    connection: Connection, values: Mapping[str, Any], figure: str, *, descending: bool
) -> list[int] | None:
    """A page of all volumes by a figure; None where it goes on with volumes that have it not."""
    rows = connection.execute(
        f"""
        SELECT s.volume_id FROM standing_results s WHERE s.job_id = %(job)s AND {figure} IS NOT NULL
        ORDER BY {figure} {"DESC" if descending else "ASC"}, s.volume_id LIMIT %(limit)s OFFSET %(offset)s
        """.encode(),
        values,
        prepare=False,
    ).fetchall()
    return [row[0] for row in rows] if len(rows) == values["limit"] else None


def _shown(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> list[FoundVolume]:
    """What is to be told of these volumes, in their order."""
    rows = connection.execute(
        f"""
        SELECT f.volume_id, v.bdrc_w_id, v.bdrc_i_id, {_STATE}, s.version, s.total_images, s.nb_errors, s.done_at,
               coalesce(s.metrics, '{{}}'), {_MARKS}
        FROM unnest(%(ids)s::int[]) WITH ORDINALITY AS f (volume_id, place) JOIN volumes v ON v.id = f.volume_id
        LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (%(job)s, f.volume_id)
        LEFT JOIN standing_results s ON (s.job_id, s.volume_id) = (%(job)s, f.volume_id)
        LEFT JOIN LATERAL (
            SELECT t.volume_id FROM task_executions t
            WHERE (t.job_id, t.volume_id) = (%(job)s, f.volume_id) AND t.status = 'running' LIMIT 1) r ON true
        ORDER BY f.place
        """.encode(),
        {"job": job_id, "ids": list(volume_ids)},
    )
    return [FoundVolume(*row) for row in rows]


_MARKS = """(
    SELECT coalesce(jsonb_object_agg(judgement, number), '{}') FROM (
        SELECT judgement, count(*) AS number FROM (
            SELECT DISTINCT ON (page) judgement FROM page_marks m
            WHERE (m.job_id, m.volume_id) = (%(job)s, f.volume_id) ORDER BY page, id DESC
        ) latest GROUP BY judgement
    ) counted
)"""
