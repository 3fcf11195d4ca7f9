"""SQL over ``page_marks``: what people say of pages. Nothing is overwritten; the latest of a page counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen
from psycopg.types.json import Jsonb

from bec_core.db.standing import StandingResult

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Mark:
    """A mark on a page.

    Attributes:
        id: in the database; a later mark has a larger one.
        job_name: of the job whose result was marked.
        volume_id: in the database.
        w_id: as in the database, with the source where it is not the archive's.
        i_id: of the volume.
        version: of the volume, as in the artifacts' folder.
        page: the image's file name.
        judgement: ``right``, ``wrong`` or ``rescan``.
        faults: what is wrong: ``missing``, ``merged``, ``false``, ``turned``, ``unreadable``.
        note: in the marker's words; anything may stand in it.
        who, at: who marked it, and when.
        task_id, result, request, recipe: the result that was marked.
        stands: whether that result stands; else the mark is of an earlier one.
        corrected: whether corrected lines came with it.
    """

    id: int
    job_name: str
    volume_id: int
    w_id: str
    i_id: str
    version: str
    page: str
    judgement: str
    faults: tuple[str, ...]
    note: str
    who: str
    at: datetime
    task_id: int
    result: str
    request: int
    recipe: str | None
    stands: bool
    corrected: bool


_COLUMNS = """
    m.id, j.name, m.volume_id, v.bdrc_w_id, v.bdrc_i_id, m.version, m.page, m.judgement, m.faults, m.note, m.who, m.at,
    m.task_id, m.result, m.request, m.recipe, coalesce(m.result = s.result, false), m.correction IS NOT NULL
"""
_FROM = """
    page_marks m JOIN jobs j ON j.id = m.job_id JOIN volumes v ON v.id = m.volume_id
    LEFT JOIN standing_results s ON (s.job_id, s.volume_id) = (m.job_id, m.volume_id)
"""
_LATEST = """
    NOT EXISTS (SELECT FROM page_marks later
                WHERE (later.job_id, later.volume_id, later.page) = (m.job_id, m.volume_id, m.page) AND later.id > m.id)
"""


def _mark(row: tuple[Any, ...]) -> Mark:
    values = list(row)
    values[8] = tuple(values[8])
    return Mark(*values)


def add(
    connection: Connection,
    of: StandingResult,
    page: str,
    *,
    judgement: str,
    faults: Sequence[str],
    note: str,
    who: str,
    correction: Mapping[str, Any] | None = None,
) -> int:
    """Keep a mark on a page of a result; the mark's id."""
    row = connection.execute(
        """
        INSERT INTO page_marks (job_id, volume_id, version, page, judgement, faults, note, who, task_id, result,
                                request, recipe, correction)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (
            of.job_id, of.volume_id, of.version, page, judgement, list(faults), note, who, of.task_id, of.result,
            of.request, of.recipe, None if correction is None else Jsonb(dict(correction)),
        ),
    ).fetchone()  # fmt: skip
    assert row is not None
    return int(row[0])


def get(connection: Connection, mark_id: int) -> Mark | None:
    """The mark of this id."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM {_FROM} WHERE m.id = %s", (mark_id,)).fetchone()
    return None if row is None else _mark(row)


def listed(
    connection: Connection,
    job_id: int,
    *,
    volume_id: int | None = None,
    judgements: Sequence[str] = (),
    who: str | None = None,
    latest_only: bool = True,
    before: int | None = None,
    limit: int | None = None,
) -> Iterator[Mark]:
    """A job's marks, the latest first.

    Args:
        connection: to the database.
        job_id: the job.
        volume_id: only of this volume.
        judgements: only these.
        who: only by this person.
        latest_only: of each page only the latest.
        before: only marks with smaller ids.
        limit: so many at most.
    """
    rows = connection.execute(
        f"""
        SELECT {_COLUMNS} FROM {_FROM}
        WHERE m.job_id = %(job)s AND (%(volume)s::int IS NULL OR m.volume_id = %(volume)s)
          AND (cardinality(%(judgements)s::text[]) = 0 OR m.judgement = ANY(%(judgements)s))
          AND (%(who)s::text IS NULL OR m.who = %(who)s) AND (%(before)s::bigint IS NULL OR m.id < %(before)s)
          AND (NOT %(latest)s OR {_LATEST})
        ORDER BY m.id DESC LIMIT %(limit)s
        """,
        {
            "job": job_id, "volume": volume_id, "judgements": list(judgements), "who": who, "before": before,
            "latest": latest_only, "limit": limit,
        },
    )  # fmt: skip
    return map(_mark, rows)


def correction(connection: Connection, mark_id: int) -> Mapping[str, Any] | None:
    """The corrected lines that came with a mark."""
    row = connection.execute("SELECT correction FROM page_marks WHERE id = %s", (mark_id,)).fetchone()
    return None if row is None else row[0]
