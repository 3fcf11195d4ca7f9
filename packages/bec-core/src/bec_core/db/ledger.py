"""SQL over ``ledger``: what a job has been asked to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.models import VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

_ENQUEUE_LOCK = 0x6265  # the first of two numbers: "be"; the second is the job's id


@frozen
class Entry:
    """A ledger entry as it stands: ``state`` is none, waiting, done or failed; ``done_etag`` the version last done."""

    state: str
    sent_at: datetime | None
    done_etag: bytes | None


@contextmanager
def enqueueing(connection: Connection, job_id: int) -> Iterator[None]:
    """Be the only one who enqueues for this job; waits for another to finish.

    Held by the session, not a transaction: enqueueing is many transactions. Ends with the connection.
    """
    connection.execute("SELECT pg_advisory_lock(%s, %s)", (_ENQUEUE_LOCK, job_id))
    connection.commit()
    try:
        yield
    finally:
        if not connection.closed:
            connection.rollback()
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", (_ENQUEUE_LOCK, job_id))
            connection.commit()


def lookup(connection: Connection, job_id: int, refs: Sequence[VolumeRef]) -> Mapping[VolumeRef, Entry]:
    """How these volumes stand; those never asked for and never done are left out."""
    rows = connection.execute(
        """
        SELECT asked.n, coalesce(l.state, 'none'), l.sent_at, d.s3_etag
        FROM unnest(%(w)s::text[], %(i)s::text[]) WITH ORDINALITY AS asked (w, i, n)
        JOIN volumes v ON (v.bdrc_w_id, v.bdrc_i_id) = (asked.w, asked.i)
        LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (%(job_id)s, v.id)
        LEFT JOIN LATERAL (
            SELECT s3_etag FROM task_executions t
            WHERE (t.job_id, t.volume_id) = (%(job_id)s, v.id) AND t.status = 'done'
            ORDER BY done_at DESC LIMIT 1
        ) d ON true
        WHERE l.state IS NOT NULL OR d.s3_etag IS NOT NULL
        """,
        {"w": [ref.db_w_id for ref in refs], "i": [ref.i_id for ref in refs], "job_id": job_id},
    )
    return {refs[row[0] - 1]: Entry(*row[1:]) for row in rows}


def request(connection: Connection, job_id: int, asked: Sequence[tuple[int, VolumeRef]]) -> None:
    """Record that the job is asked for these volumes: waiting, their messages not yet handed to the queue."""
    connection.execute(
        """
        INSERT INTO ledger AS l (job_id, volume_id, source, i_version)
        SELECT %s, a.volume_id, a.source, nullif(a.i_version, '')
        FROM unnest(%s::int[], %s::text[], %s::text[]) AS a (volume_id, source, i_version)
        ORDER BY a.volume_id
        ON CONFLICT (job_id, volume_id) DO UPDATE SET
            state = 'waiting', source = excluded.source, i_version = excluded.i_version,
            requested_at = now(), changed_at = now(), sent_at = NULL, reason = NULL
        """,
        (
            job_id,
            [volume_id for volume_id, _ in asked],
            [ref.source for _, ref in asked],
            [ref.i_version or "" for _, ref in asked],
        ),
    )


def mark_sent(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> None:
    """Record that these volumes' messages are in the queue."""
    connection.execute(
        "UPDATE ledger SET sent_at = now() WHERE job_id = %s AND volume_id = ANY(%s::int[])",
        (job_id, list(volume_ids)),
    )


def forget_waiting(connection: Connection, job_id: int) -> int:
    """Drop the entries that wait, but for those that a worker has at hand; returns how many."""
    cursor = connection.execute(
        """
        DELETE FROM ledger l WHERE l.job_id = %(job)s AND l.state = 'waiting' AND NOT EXISTS (
            SELECT FROM task_executions t
            WHERE (t.job_id, t.volume_id) = (l.job_id, l.volume_id) AND t.status = 'running'
              AND t.lease_expires_at > clock_timestamp()
        )
        """,
        {"job": job_id},
    )
    return cursor.rowcount


def counts(connection: Connection, job_id: int) -> Mapping[str, int]:
    """How many entries are in which state."""
    rows = connection.execute(
        "SELECT state, count(*) FROM ledger WHERE job_id = %s GROUP BY state", (job_id,)
    )
    return {row[0]: row[1] for row in rows}


def volumes_in_state(connection: Connection, job_id: int, state: str) -> Iterator[VolumeRef]:
    """The volumes of the entries in a state, by name."""
    rows = connection.execute(
        """
        SELECT v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version
        FROM ledger l JOIN volumes v ON v.id = l.volume_id
        WHERE l.job_id = %s AND l.state = %s ORDER BY v.bdrc_w_id, v.bdrc_i_id
        """,
        (job_id, state),
    )
    for w_id, i_id, source, i_version in rows:
        yield VolumeRef(w_id.rpartition(":")[2], i_id, source, i_version)
