"""SQL over ``canaries``: volumes of a job that go first, and the ledger's entries that are held back meanwhile.

An entry that is *held* is not due: nobody sends it, and it is in no backlog. A job has one canary at most, the latest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

HELD_BACK = """EXISTS (
    SELECT FROM canaries c
    WHERE c.job_id = l.job_id AND (c.verdict IS NULL OR c.verdict = 'failed')
      AND l.volume_id <> ALL (c.volume_ids)
)"""
"""Whether its job's canary holds a ledger entry ``l`` back, once that is not blocked."""

_ENDED = (
    "coalesce(l.state IN ('done', 'failed'), true)"  # what the ledger has forgotten will not come any more
)


@frozen
class Canary:
    """A job's canary.

    Attributes:
        volumes: how many volumes went first.
        ended: of these.
        failed: of these, for good.
        held: entries that are held back.
        verdict: ``passed``, ``failed``, ``released`` (somebody let the rest go all the same); None: it is out.
        reason: why it failed.
        asked_at: when it was asked for.
        judged_at: when the verdict was given.
    """

    volumes: int
    ended: int
    failed: int
    held: int
    verdict: str | None
    reason: str | None
    asked_at: datetime
    judged_at: datetime | None

    @property
    def holds(self) -> bool:
        """Whether it holds volumes back, or would if some became ready: it is out, or failed."""
        return self.verdict in (None, "failed")


def canary_of(connection: Connection, job_id: int) -> Canary | None:
    """The job's canary; None: it never had one."""
    row = connection.execute(
        f"""
        SELECT cardinality(c.volume_ids), e.ended, e.failed,
               (SELECT count(*) FROM ledger WHERE job_id = c.job_id AND state = 'held'),
               c.verdict, c.reason, c.asked_at, c.judged_at
        FROM canaries c CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE {_ENDED}) AS ended, count(*) FILTER (WHERE l.state = 'failed') AS failed
            FROM unnest(c.volume_ids) AS one LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (c.job_id, one)
        ) e
        WHERE c.job_id = %s
        """.encode(),
        (job_id,),
    ).fetchone()
    return Canary(*row) if row else None


def put_out(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> None:
    """Let these volumes go first: a new canary, in the place of any before."""
    connection.execute(
        "INSERT INTO canaries (job_id, volume_ids) VALUES (%(job)s, %(ids)s::int[]) ON CONFLICT (job_id) DO UPDATE SET"
        " volume_ids = excluded.volume_ids, asked_at = clock_timestamp(), verdict = NULL, reason = NULL,"
        " judged_at = NULL",
        {"job": job_id, "ids": list(volume_ids)},
    )


def hold(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> set[int]:
    """Hold back those of these volumes that wait and are no canaries; returns them."""
    rows = connection.execute(
        f"""
        UPDATE ledger l SET state = 'held', changed_at = clock_timestamp()
        WHERE l.job_id = %s AND l.volume_id = ANY(%s::int[]) AND l.state = 'waiting' AND {HELD_BACK}
        RETURNING l.volume_id
        """.encode(),
        (job_id, list(volume_ids)),
    )
    return {row[0] for row in rows}


@frozen
class Ended:
    """A canary all volumes of which have ended; ``judged_from``: what the brake goes by (see ``jobs.pull_brake``)."""

    volume_ids: tuple[int, ...]
    failed: int
    asked_at: datetime
    judged_from: datetime | None


def to_judge(connection: Connection, job_id: int) -> Ended | None:
    """The canary of an active job if it is to be judged now; nobody else does until the transaction ends."""
    row = connection.execute(
        f"""
        SELECT c.volume_ids, c.asked_at, j.brake_from
        FROM canaries c JOIN jobs j ON j.id = c.job_id
        WHERE c.job_id = %s AND c.verdict IS NULL AND j.status = 'active' AND NOT EXISTS (
            SELECT FROM unnest(c.volume_ids) AS one JOIN ledger l ON (l.job_id, l.volume_id) = (c.job_id, one)
            WHERE NOT {_ENDED})
        FOR UPDATE OF c SKIP LOCKED
        """.encode(),
        (job_id,),
    ).fetchone()
    if row is None:
        return None
    volume_ids, asked_at, judged_from = row
    failed = connection.execute(
        "SELECT count(*) FROM ledger WHERE job_id = %s AND volume_id = ANY(%s::int[]) AND state = 'failed'",
        (job_id, volume_ids),
    ).fetchone()
    assert failed is not None
    return Ended(tuple(volume_ids), failed[0], asked_at, judged_from)


def fail(connection: Connection, job_id: int, reason: str) -> None:
    """Say that the canary failed: what is held back stays so."""
    connection.execute(
        "UPDATE canaries SET verdict = 'failed', reason = %s, judged_at = clock_timestamp() WHERE job_id = %s",
        (reason, job_id),
    )


def release(connection: Connection, job_id: int, *, passed: bool, only_failed: bool = False) -> int | None:
    """Let what is held back wait for a message; how many entries, None: no canary holds any.

    Args:
        connection: where the ledger is.
        job_id: the job.
        passed: the canary has passed; else somebody lets the rest go all the same.
        only_failed: only if the canary failed, not while it is out.
    """
    cursor = connection.execute(
        "UPDATE canaries SET verdict = %(verdict)s, judged_at = clock_timestamp() WHERE job_id = %(job)s"
        " AND (verdict = 'failed' OR (verdict IS NULL AND NOT %(only_failed)s))",
        {"job": job_id, "verdict": "passed" if passed else "released", "only_failed": only_failed},
    )
    if not cursor.rowcount:
        return None
    return connection.execute(
        "UPDATE ledger SET state = 'waiting', sent_at = NULL, released_at = NULL, changed_at = clock_timestamp()"
        " WHERE job_id = %s AND state = 'held'",
        (job_id,),
    ).rowcount


def forget(connection: Connection, job_id: int) -> None:
    """Drop the canary: nothing is held back any more."""
    connection.execute("DELETE FROM canaries WHERE job_id = %s", (job_id,))
