"""SQL over ``feeders``: which jobs have a feeder, and what of their ledger is in the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.ledger import FREE

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


ALIVE_S = 60.0
"""A feeder whose heartbeat is older than this is taken for dead (it beats every ten seconds)."""


@frozen
class FeederRow:
    """A job's feeder: so many messages for each live worker; the process that was heard of last, and how long ago."""

    per_worker: int
    by: str | None
    heartbeat_s: float | None

    @property
    def alive(self) -> bool:
        """Whether its process was heard of lately."""
        return self.heartbeat_s is not None and self.heartbeat_s < ALIVE_S


def feeder_of(connection: Connection, job_id: int) -> FeederRow | None:
    """The job's feeder; None: it has none, its messages are sent at once."""
    row = connection.execute(
        "SELECT per_worker, by, extract(epoch FROM statement_timestamp() - last_heartbeat_at)::float8"
        " FROM feeders WHERE job_id = %s",
        (job_id,),
    ).fetchone()
    return FeederRow(*row) if row else None


def give(connection: Connection, job_id: int, per_worker: int | None = None) -> None:
    """Say that a job has a feeder; ``per_worker`` None: as many messages as before, or the default."""
    connection.execute(
        "INSERT INTO feeders AS f (job_id, per_worker) VALUES (%(job)s, coalesce(%(number)s, 4))"
        " ON CONFLICT (job_id) DO UPDATE SET per_worker = coalesce(%(number)s, f.per_worker)",
        {"job": job_id, "number": per_worker},
    )


def beat(connection: Connection, job_id: int, by: str) -> bool:
    """Say that the feeder lives; False: the job has none any more."""
    connection.execute("SET LOCAL synchronous_commit TO off")
    cursor = connection.execute(
        "UPDATE feeders SET by = %s, last_heartbeat_at = clock_timestamp() WHERE job_id = %s", (by, job_id)
    )
    return cursor.rowcount == 1


def take_away(connection: Connection, job_id: int) -> bool:
    """Say that a job has no feeder; False: it had none."""
    return connection.execute("DELETE FROM feeders WHERE job_id = %s", (job_id,)).rowcount == 1


@frozen
class Sent:
    """Entries whose message was sent and that nobody has at hand: lately (the queue may not count it yet), before."""

    lately: int
    before: int


def sent(connection: Connection, job_id: int, *, lately_s: float) -> Sent:
    """What should lie in the job's queue, by the ledger."""
    row = connection.execute(
        f"""
        SELECT count(*) FILTER (WHERE late), count(*) FILTER (WHERE NOT late) FROM (
            SELECT l.sent_at > statement_timestamp() - make_interval(secs => %(lately)s) AS late
            FROM ledger l
            WHERE l.job_id = %(job)s AND l.state = 'waiting' AND l.sent_at IS NOT NULL AND {FREE}
        ) one
        """.encode(),
        {"job": job_id, "lately": lately_s},
    ).fetchone()
    assert row is not None
    return Sent(*row)
