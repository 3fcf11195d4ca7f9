"""SQL over ``archive_walks``: how far a walk through a source's listing came, and what a job knows of the volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.models import VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Known:
    """A volume of which a job knows: how its ledger entry stands, and the version last done (of what failed: seen)."""

    state: str
    etag: bytes | None


def known(connection: Connection, job_id: int, refs: Sequence[VolumeRef]) -> Mapping[VolumeRef, Known]:
    """Those of these volumes that the job was asked for, or has done."""
    rows = connection.execute(
        """
        SELECT listed.n, coalesce(l.state, 'done'), coalesce(d.s3_etag, v.last_s3_etag)
        FROM unnest(%(w)s::text[], %(i)s::text[]) WITH ORDINALITY AS listed (w, i, n)
        JOIN volumes v ON (v.bdrc_w_id, v.bdrc_i_id) = (listed.w, listed.i)
        LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (%(job)s, v.id)
        LEFT JOIN LATERAL (
            SELECT s3_etag FROM task_executions t
            WHERE (t.job_id, t.volume_id) = (%(job)s, v.id) AND t.status = 'done' ORDER BY done_at DESC LIMIT 1
        ) d ON true
        WHERE l.state IS NOT NULL OR d.s3_etag IS NOT NULL
        """,
        {"w": [ref.db_w_id for ref in refs], "i": [ref.i_id for ref in refs], "job": job_id},
    )
    return {refs[row[0] - 1]: Known(row[1], row[2]) for row in rows}


def walked(connection: Connection, job_id: int, source: str, want: str, *, within_s: float) -> set[str]:
    """The parts that an unfinished walk has seen; one that began longer ago is forgotten."""
    connection.execute(
        """
        DELETE FROM archive_walks WHERE (job_id, source, want) = (%(job)s, %(source)s, %(want)s) AND (
            SELECT min(walked_at) FROM archive_walks WHERE (job_id, source, want) = (%(job)s, %(source)s, %(want)s)
        ) < statement_timestamp() - make_interval(secs => %(within)s)
        """,
        {"job": job_id, "source": source, "want": want, "within": within_s},
    )
    rows = connection.execute(
        "SELECT part FROM archive_walks WHERE (job_id, source, want) = (%s, %s, %s)", (job_id, source, want)
    )
    return {row[0] for row in rows}


def note_walked(connection: Connection, job_id: int, source: str, want: str, part: str) -> None:
    """Remember that a part was seen, and all that it showed asked for."""
    connection.execute(
        "INSERT INTO archive_walks (job_id, source, want, part) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (job_id, source, want, part),
    )


def finish(connection: Connection, job_id: int, source: str, want: str) -> None:
    """The walk is over: the next one begins anew."""
    connection.execute(
        "DELETE FROM archive_walks WHERE (job_id, source, want) = (%s, %s, %s)", (job_id, source, want)
    )
