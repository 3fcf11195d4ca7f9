"""SQL over ``page_samples`` and ``sampled_pages``: pages that were drawn to be marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Sample:
    """A sample of a job's pages; ``strata`` says how many pages each stratum held when it was drawn."""

    id: int
    job_id: int
    seed: int
    drawn_at: datetime
    who: str
    strata: Mapping[str, int]


@frozen
class SampledPage:
    """A page of a sample, and how it is marked.

    Attributes:
        place: in the order in which the pages are to be looked at, from 1.
        stratum: of the page.
        volume_id: in the database.
        w_id: as in the database, with the source where it is not the archive's.
        i_id: of the volume.
        version: of the volume.
        page: the image's file name.
        number: the page's in its volume, from 1.
        result: the result that stood when it was drawn.
        judgement: of the latest mark on that result; None: it has none.
    """

    place: int
    stratum: str
    volume_id: int
    w_id: str
    i_id: str
    version: str
    page: str
    number: int
    result: str
    judgement: str | None = None


def keep(
    connection: Connection,
    job_id: int,
    *,
    seed: int,
    who: str,
    strata: Mapping[str, int],
    pages: Sequence[SampledPage],
) -> int:
    """Keep a sample; its id."""
    row = connection.execute(
        "INSERT INTO page_samples (job_id, seed, who, strata) VALUES (%s, %s, %s, %s) RETURNING id",
        (job_id, seed, who, Jsonb(dict(strata))),
    ).fetchone()
    assert row is not None
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO sampled_pages (sample_id, place, stratum, volume_id, version, page, number, result)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (row[0], one.place, one.stratum, one.volume_id, one.version, one.page, one.number, one.result)
                for one in pages
            ],
        )
    return int(row[0])


def find(connection: Connection, job_id: int, sample_id: int | None = None) -> Sample | None:
    """The job's sample of this id, or its latest."""
    row = connection.execute(
        "SELECT id, job_id, seed, drawn_at, who, strata FROM page_samples"
        " WHERE job_id = %(job)s AND (%(id)s::bigint IS NULL OR id = %(id)s) ORDER BY id DESC LIMIT 1",
        {"job": job_id, "id": sample_id},
    ).fetchone()
    return None if row is None else Sample(*row)


def pages(connection: Connection, sample: Sample) -> list[SampledPage]:
    """A sample's pages with their marks, in the order in which they are to be looked at."""
    rows = connection.execute(
        """
        SELECT p.place, p.stratum, p.volume_id, v.bdrc_w_id, v.bdrc_i_id, p.version, p.page, p.number, p.result,
               (SELECT m.judgement FROM page_marks m
                WHERE (m.job_id, m.volume_id, m.page, m.result) = (%s, p.volume_id, p.page, p.result)
                ORDER BY m.id DESC LIMIT 1)
        FROM sampled_pages p JOIN volumes v ON v.id = p.volume_id WHERE p.sample_id = %s ORDER BY p.place
        """,
        (sample.job_id, sample.id),
    )
    return [SampledPage(*row) for row in rows]
