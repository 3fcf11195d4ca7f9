"""SQL over ``ledger``: what a job has been asked to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
from attrs import frozen

from bec_core.errors import JobGone
from bec_core.models import VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Entry:
    """A ledger entry as it stands: ``state`` is none, or the ledger's; ``done_etag`` the version last done."""

    state: str
    sent_at: datetime | None
    done_etag: bytes | None


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


@frozen
class Raise:
    """Asking again for what is done: the number that a marker must answer goes up by one.

    ``config_revision`` is the job's at this moment; ``above`` are numbers that standing markers answer, one for
    each volume, where the database may not know of them (0: it does).
    """

    config_revision: int
    above: Sequence[int] | None = None


def request(
    connection: Connection,
    job_id: int,
    asked: Sequence[tuple[int, VolumeRef]],
    *,
    raised: Raise | None = None,
) -> None:
    """Record that the job is asked for these volumes: waiting, their messages not yet handed to the queue.

    Without ``raised`` the request keeps its number, so that a marker that stands answers it.
    """
    above = (raised.above if raised else None) or [0] * len(asked)
    connection.execute(
        """
        INSERT INTO ledger AS l (job_id, volume_id, source, i_version, request, config_revision)
        SELECT %(job)s, a.volume_id, a.source, nullif(a.i_version, ''),
               CASE WHEN %(raising)s THEN greatest(a.above, known.request, 0) + 1 ELSE 0 END, %(revision)s
        FROM unnest(%(ids)s::int[], %(sources)s::text[], %(versions)s::text[], %(above)s::bigint[])
            AS a (volume_id, source, i_version, above)
        LEFT JOIN LATERAL (
            SELECT max(request) AS request FROM task_executions t
            WHERE %(raising)s AND (t.job_id, t.volume_id) = (%(job)s, a.volume_id)
        ) known ON true
        ORDER BY a.volume_id
        ON CONFLICT (job_id, volume_id) DO UPDATE SET
            state = 'waiting', source = excluded.source, i_version = excluded.i_version,
            requested_at = now(), changed_at = now(), sent_at = NULL, reason = NULL,
            priority = CASE WHEN l.state = 'done' THEN 0 ELSE l.priority END,
            request = greatest(l.request + CASE WHEN %(raising)s THEN 1 ELSE 0 END, excluded.request),
            config_revision = coalesce(excluded.config_revision, l.config_revision)
        """,
        {
            "job": job_id,
            "raising": raised is not None,
            "revision": raised.config_revision if raised else None,
            "ids": [volume_id for volume_id, _ in asked],
            "sources": [ref.source for _, ref in asked],
            "versions": [ref.i_version or "" for _, ref in asked],
            "above": list(above),
        },
    )


@frozen
class Due:
    """An entry that waits and that nothing keeps from being worked on; ``settled`` if its message was sent long ago."""

    volume_id: int
    name: tuple[str, str]
    ref: VolumeRef
    sent: bool
    settled: bool


FREE = """NOT EXISTS (
    SELECT FROM task_executions t
    WHERE (t.job_id, t.volume_id) = (l.job_id, l.volume_id)
      AND t.status IN ('running', 'retryable_failed')
      AND greatest(t.lease_expires_at, t.retry_at) > statement_timestamp()
)"""
"""Whether a ledger entry ``l`` is neither under a live lease nor in back-off."""

BY_PRIORITY = "l.priority DESC, l.requested_at, l.volume_id"
"""The order in which a feeder sends entries ``l``."""


def due(connection: Connection, job_id: int, *, settled_after_s: float) -> list[Due]:
    """The entries that wait and are neither under a live lease nor in back-off.

    What was released a moment ago is left to whoever released it, who sends it now.
    """
    return _due(
        connection,
        "NOT coalesce(l.sent_at IS NULL AND l.released_at > statement_timestamp() - make_interval(secs => 10), false)",
        {"job": job_id, "settled": settled_after_s},
    )


def unsent(
    connection: Connection, job_id: int, *, limit: int, settled_after_s: float, lost_after_s: float | None
) -> list[Due]:
    """Up to ``limit`` entries that are due and without a message, the first that a feeder would send.

    ``lost_after_s``: the queue keeps no message for longer, so an older one is gone; None: it keeps all.
    """
    return _due(
        connection,
        "(l.sent_at IS NULL OR l.sent_at < statement_timestamp() - make_interval(secs => %(lost)s))",
        {"job": job_id, "settled": settled_after_s, "lost": lost_after_s, "limit": limit},
        "LIMIT %(limit)s",
    )


def _due(connection: Connection, which: str, values: Mapping[str, object], limit: str = "") -> list[Due]:
    rows = connection.execute(
        f"""
        SELECT l.volume_id, v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, l.sent_at IS NOT NULL,
               coalesce(l.sent_at < statement_timestamp() - make_interval(secs => %(settled)s), false)
        FROM ledger l JOIN volumes v ON v.id = l.volume_id
        WHERE l.job_id = %(job)s AND l.state = 'waiting' AND {which} AND {FREE}
        ORDER BY {BY_PRIORITY} {limit}
        """.encode(),
        dict(values),
    )
    return [
        Due(
            row[0],
            (row[1], row[2]),
            VolumeRef(row[1].rpartition(":")[2], row[2], row[3], row[4]),
            row[5],
            row[6],
        )
        for row in rows
    ]


def awaited(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> set[int]:
    """Those of these volumes that wait, with their message sent."""
    rows = connection.execute(
        "SELECT volume_id FROM ledger WHERE job_id = %s AND volume_id = ANY(%s::int[])"
        " AND state = 'waiting' AND sent_at IS NOT NULL",
        (job_id, list(volume_ids)),
    )
    return {row[0] for row in rows}


def mark_sent(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> None:
    """Record that these volumes' messages are in the queue."""
    connection.execute(
        "UPDATE ledger SET sent_at = now() WHERE job_id = %s AND volume_id = ANY(%s::int[])",
        (job_id, list(volume_ids)),
    )


def prioritise(connection: Connection, job_id: int, volume_ids: Sequence[int], priority: int) -> int:
    """Give those of these volumes that wait, are blocked or held back a priority; returns how many had another."""
    cursor = connection.execute(
        "UPDATE ledger SET priority = %s WHERE job_id = %s AND volume_id = ANY(%s::int[])"
        " AND state IN ('waiting', 'blocked', 'held') AND priority <> %s",
        (priority, job_id, list(volume_ids), priority),
    )
    return cursor.rowcount


def enter_received(connection: Connection, job_id: int, volume_id: int, ref: VolumeRef) -> None:
    """Give a volume whose message came although nobody asked here for it an entry: it waits, its message sent.

    Raises:
        JobGone: the job was deleted.
    """
    try:
        connection.execute(
            "INSERT INTO ledger (job_id, volume_id, source, i_version, sent_at)"
            " VALUES (%s, %s, %s, %s, clock_timestamp()) ON CONFLICT (job_id, volume_id) DO NOTHING",
            (job_id, volume_id, ref.source, ref.i_version),
        )
    except psycopg.errors.ForeignKeyViolation as error:
        raise JobGone(f"job {job_id} was deleted") from error


def forget_waiting(connection: Connection, job_id: int) -> int:
    """Drop the entries that wait, are blocked or held, but for those that a worker has at hand; returns how many."""
    cursor = connection.execute(
        """
        DELETE FROM ledger l WHERE l.job_id = %(job)s AND l.state IN ('waiting', 'blocked', 'held') AND NOT EXISTS (
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


@frozen
class AskedVolume:
    """A ledger entry for people: the volume, when it was asked for, when its message was sent, why it failed."""

    volume: str
    source: str
    requested_at: datetime
    sent_at: datetime | None
    changed_at: datetime
    reason: str | None


def in_state(connection: Connection, job_id: int, state: str, limit: int) -> list[AskedVolume]:
    """Up to ``limit`` entries in a state, those longest in it first."""
    rows = connection.execute(
        """
        SELECT v.bdrc_w_id, v.bdrc_i_id, l.source, l.requested_at, l.sent_at, l.changed_at, l.reason
        FROM ledger l JOIN volumes v ON v.id = l.volume_id
        WHERE l.job_id = %s AND l.state = %s ORDER BY l.changed_at, l.volume_id LIMIT %s
        """,
        (job_id, state, limit),
    )
    return [AskedVolume(f"{row[0].rpartition(':')[2]}/{row[1]}", *row[2:]) for row in rows]


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


def set_state(
    connection: Connection,
    job_id: int,
    volume_id: int,
    state: str,
    reason: str | None = None,
    *,
    answered: int,
) -> None:
    """Say what became of a volume that the job was asked to do (nothing, if it never was).

    An entry that was asked for again since (its request is later than ``answered``) goes on waiting.
    """
    connection.execute(
        "UPDATE ledger SET state = %s, reason = %s, changed_at = clock_timestamp()"
        " WHERE (job_id, volume_id) = (%s, %s) AND request <= %s",
        (state, reason, job_id, volume_id, answered),
    )


def fail_waiting(connection: Connection, job_id: int, volume_id: int, reason: str) -> None:
    """Say in the ledger that a volume failed which no task of a version stands for, if it still waits."""
    connection.execute(
        "UPDATE ledger SET state = 'failed', reason = %s, changed_at = clock_timestamp()"
        " WHERE (job_id, volume_id) = (%s, %s) AND state = 'waiting'",
        (reason, job_id, volume_id),
    )


def follow_row(connection: Connection, job_id: int, volume_id: int) -> None:
    """Let the ledger say done where a row does that answers its latest request."""
    connection.execute(
        "UPDATE ledger l SET state = 'done', reason = NULL, changed_at = clock_timestamp()"
        " WHERE (job_id, volume_id) = (%s, %s) AND EXISTS ("
        "   SELECT FROM task_executions t WHERE (t.job_id, t.volume_id) = (l.job_id, l.volume_id)"
        "   AND t.status = 'done' AND t.request >= l.request)",
        (job_id, volume_id),
    )
