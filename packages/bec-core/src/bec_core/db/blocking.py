"""SQL over blocked ledger entries: what waits for what, and releasing it.

An entry is *blocked* while an input of its job is not done at the volume's present version. Whoever finishes a task
releases, in the same transaction, what was blocked on it (:func:`finished`). Whoever enters volumes into a ledger
decides there which are blocked (:func:`block`). The two exclude each other by a lock on the input's job
(:func:`entering`, :func:`before_finishing`), so that none looks right before the other writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.canary import HELD_BACK
from bec_core.db.requeue import ref_of
from bec_core.models import DEFAULT_SOURCE, VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

_GATE = 1650811209  # an advisory lock's first number; the second is the id of the job that is read

_DONE = """(
    SELECT true FROM volumes v JOIN task_executions t ON (t.job_id, t.volume_id) = ({job}, v.id)
    WHERE v.id = {volume} AND t.status = 'done' AND (v.last_s3_etag IS NULL OR t.s3_etag = v.last_s3_etag) LIMIT 1
) IS NOT NULL"""
"""Whether a job has done a volume, at its latest version as far as the database knows it.

Looked up for each volume in the index of results alone: as an ``EXISTS`` it may become a join with all tasks there are.
"""

_READY = f"""NOT EXISTS (
    SELECT FROM job_inputs i WHERE i.job_id = l.job_id
      AND NOT {_DONE.format(job="i.input_job_id", volume="l.volume_id")}
)"""
"""Whether all inputs of a ledger entry ``l`` are done."""


# Blocking -----------------------------------------------------------------------------------------------


def entering(connection: Connection, job_id: int) -> bool:
    """To be called first in a transaction that enters volumes of a job; False: it has no inputs, all is ready.

    Nobody finishes a task of its inputs until the transaction ends.
    """
    row = connection.execute(
        "SELECT count(*), count(pg_advisory_xact_lock(%s, input_job_id)) FROM ("
        " SELECT input_job_id FROM job_inputs WHERE job_id = %s ORDER BY input_job_id NULLS LAST) one",
        (_GATE, job_id),
    ).fetchone()
    return row is not None and row[0] > 0


def block(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> set[int]:
    """Block those of these waiting entries whose inputs are not done; returns them. After :func:`entering`."""
    rows = connection.execute(
        f"""
        UPDATE ledger l SET state = 'blocked', looked_at = NULL, changed_at = clock_timestamp()
        WHERE l.job_id = %s AND l.volume_id = ANY(%s::int[]) AND l.state = 'waiting' AND NOT {_READY}
        RETURNING l.volume_id
        """.encode(),
        (job_id, list(volume_ids)),
    )
    return {row[0] for row in rows}


def block_found(connection: Connection, job_id: int, volume_id: int, ref: VolumeRef, etag: bytes) -> bool:
    """Block a volume whose message came too early; False: its inputs are done by now. After :func:`entering`.

    A volume that the ledger does not know (somebody else's message) gets an entry. ``etag``: its real version.
    """
    row = connection.execute(
        """
        SELECT count(*) FROM job_inputs i WHERE i.job_id = %s AND NOT EXISTS (
            SELECT FROM task_executions t
            WHERE (t.job_id, t.volume_id, t.s3_etag) = (i.input_job_id, %s, %s::bytea) AND t.status = 'done')
        """,
        (job_id, volume_id, etag),
    ).fetchone()
    if row is None or row[0] == 0:
        return False
    connection.execute(
        """
        INSERT INTO ledger AS l (job_id, volume_id, source, i_version, state, looked_at)
        VALUES (%s, %s, %s, %s, 'blocked', clock_timestamp())
        ON CONFLICT (job_id, volume_id) DO UPDATE SET state = 'blocked', sent_at = NULL, reason = NULL,
            looked_at = clock_timestamp(), changed_at = clock_timestamp()
        """,
        (job_id, volume_id, ref.source, ref.i_version),
    )
    return True


# Releasing ----------------------------------------------------------------------------------------------


@frozen
class Released:
    """A volume that a job can do now; its message is still to be sent."""

    job_id: int
    volume_id: int
    ref: VolumeRef
    queue_url: str


_RELEASED = "l.job_id, l.volume_id, v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, j.queue_url"


def before_finishing(connection: Connection, job_id: int) -> bool:
    """To be called first in a transaction that finishes a task; False: nobody reads the job.

    Nobody enters volumes of its readers until the transaction ends.
    """
    row = connection.execute(
        "SELECT pg_advisory_xact_lock_shared(%s, %s) FROM job_inputs WHERE input_job_id = %s LIMIT 1",
        (_GATE, job_id, job_id),
    ).fetchone()
    return row is not None


def finished(connection: Connection, job_id: int, volume_id: int) -> list[Released]:
    """Release what was blocked on this volume of the job alone, and ask the jobs that follow it.

    In the transaction that says that the volume is done, after that was said. Where a volume comes from is told by
    the job's ledger; of one that nobody asked it for, by its id and the version that was done (by nothing, where its
    source is more than a name: a folder).
    """
    connection.execute(
        """
        INSERT INTO ledger AS l (job_id, volume_id, source, i_version, state)
        SELECT i.job_id, %(volume)s,
               coalesce(u.source, CASE WHEN o.source <> '' THEN o.source ELSE %(default)s END),
               CASE WHEN u.source IS NOT NULL THEN u.i_version WHEN o.source <> '' THEN (
                   SELECT version FROM task_executions t
                   WHERE (t.job_id, t.volume_id) = (%(job)s, %(volume)s) AND t.status = 'done'
                   ORDER BY done_at DESC NULLS LAST, id DESC LIMIT 1) END,
               'blocked'
        FROM job_inputs i JOIN jobs j ON j.id = i.job_id JOIN volumes v ON v.id = %(volume)s
        CROSS JOIN LATERAL (SELECT CASE WHEN strpos(v.bdrc_w_id, ':') > 0
            THEN split_part(v.bdrc_w_id, ':', 1) ELSE '' END AS source) o
        LEFT JOIN ledger u ON (u.job_id, u.volume_id) = (%(job)s, %(volume)s)
        WHERE i.input_job_id = %(job)s AND i.follow AND j.status <> 'cancelled'
          AND (u.source IS NOT NULL OR strpos(o.source, '-') = 0)
        GROUP BY 1, 2, 3, 4
        ON CONFLICT (job_id, volume_id) DO UPDATE SET state = 'blocked', requested_at = clock_timestamp(),
            sent_at = NULL, source = excluded.source, i_version = excluded.i_version
        WHERE l.state = 'done' AND NOT EXISTS (
            SELECT FROM task_executions t JOIN volumes v ON v.id = t.volume_id
            WHERE (t.job_id, t.volume_id) = (l.job_id, l.volume_id) AND t.status = 'done'
              AND t.s3_etag = v.last_s3_etag)
        """,
        {"job": job_id, "volume": volume_id, "default": DEFAULT_SOURCE},
    )
    return _release(
        connection,
        "l.volume_id = %(volume)s AND l.job_id IN (SELECT job_id FROM job_inputs WHERE input_job_id = %(job)s)",
        {"job": job_id, "volume": volume_id},
    )


def release_all(connection: Connection, job_id: int, *, limit: int) -> list[Released]:
    """Release up to ``limit`` of a job's blocked volumes whose inputs are done, whoever finished them."""
    return _release(
        connection,
        "(l.job_id, l.volume_id) IN (SELECT l.job_id, l.volume_id FROM ledger l WHERE l.job_id = %(job)s"
        f" AND l.state = 'blocked' AND {_READY} ORDER BY l.volume_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)",
        {"job": job_id, "limit": limit},
    )


def _release(connection: Connection, which: str, values: Mapping[str, object]) -> list[Released]:
    """What can be done now; what the job's canary holds back is not blocked any more, and waits for that."""
    rows = connection.execute(
        f"""
        WITH moved AS (
            UPDATE ledger l SET state = CASE WHEN {HELD_BACK} THEN 'held' ELSE 'waiting' END, sent_at = NULL,
                released_at = clock_timestamp(), looked_at = NULL, changed_at = clock_timestamp()
            FROM jobs j, volumes v
            WHERE j.id = l.job_id AND v.id = l.volume_id AND l.state = 'blocked' AND j.status <> 'cancelled'
              AND {which} AND {_READY}
            RETURNING l.state, {_RELEASED}
        )
        SELECT job_id, volume_id, bdrc_w_id, bdrc_i_id, source, i_version, queue_url FROM moved
        WHERE state = 'waiting'
        """.encode(),
        dict(values),
    )
    return [Released(row[0], row[1], ref_of(*row[2:6]), row[6]) for row in rows]


@frozen
class BlockedVolume:
    """A ledger entry that is blocked."""

    volume_id: int
    ref: VolumeRef


def blocked_but_ready(connection: Connection, job_id: int) -> list[BlockedVolume]:
    """The blocked volumes whose inputs are done by what the database knows: what a release would find."""
    rows = connection.execute(
        f"""
        SELECT l.volume_id, v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version
        FROM ledger l JOIN volumes v ON v.id = l.volume_id
        WHERE l.job_id = %s AND l.state = 'blocked' AND {_READY} ORDER BY l.volume_id
        """.encode(),
        (job_id,),
    )
    return [BlockedVolume(row[0], ref_of(*row[1:])) for row in rows]


def not_looked_at(
    connection: Connection, job_id: int, *, limit: int, again_after_s: float | None = None
) -> list[BlockedVolume]:
    """Up to ``limit`` blocked volumes whose inputs' markers were not looked for yet (or that long ago).

    What an input job has been asked for and waits is left out: finishing it will release it.
    """
    rows = connection.execute(
        """
        SELECT l.volume_id, v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version
        FROM ledger l JOIN volumes v ON v.id = l.volume_id
        WHERE l.job_id = %(job)s AND l.state = 'blocked'
          AND (l.looked_at IS NULL OR l.looked_at < statement_timestamp() - make_interval(secs => %(again)s))
          AND NOT EXISTS (
              SELECT FROM job_inputs i LEFT JOIN ledger u ON (u.job_id, u.volume_id) = (i.input_job_id, l.volume_id)
              WHERE i.job_id = l.job_id AND (i.input_job_id IS NULL OR u.state IN ('waiting', 'blocked', 'held')))
        ORDER BY l.volume_id LIMIT %(limit)s
        """,
        {"job": job_id, "limit": limit, "again": again_after_s},
    )
    return [BlockedVolume(row[0], ref_of(*row[1:])) for row in rows]


def looked_at(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> None:
    """Remember that the markers of these volumes' inputs were looked for."""
    connection.execute(
        "UPDATE ledger SET looked_at = clock_timestamp() WHERE job_id = %s AND volume_id = ANY(%s::int[])"
        " AND state = 'blocked'",
        (job_id, list(volume_ids)),
    )


def _missing() -> str:
    """A recursive query's table: what a job's blocked volumes wait for, also through others that are blocked there.

    ``missing(volume_id, name, job_id, state)``: by the job's own input, each job up the chain that has not done the
    volume, and how it stands in that job's ledger (NULL: not asked for).
    """
    stands = "LEFT JOIN ledger u ON (u.job_id, u.volume_id) = (i.input_job_id, {above}.volume_id)"
    done = _DONE.format(job="i.input_job_id", volume="{above}.volume_id")
    own = f"""
        SELECT l.volume_id, i.name, i.input_job_id, u.state::text
        FROM ledger l JOIN job_inputs i ON i.job_id = l.job_id {stands.format(above="l")}
        WHERE l.job_id = %(job)s AND l.state = 'blocked' AND NOT {done.format(above="l")}"""
    through = f"""
        SELECT m.volume_id, m.name, i.input_job_id, u.state::text
        FROM missing m JOIN job_inputs i ON i.job_id = m.job_id {stands.format(above="m")}
        WHERE m.state = 'blocked' AND NOT {done.format(above="m")}"""
    return f"missing (volume_id, name, job_id, state) AS ({own} UNION {through})"


def blocked(connection: Connection, job_id: int) -> tuple[int, int, int]:
    """How many volumes are blocked; how many of those have all missing inputs on their way, how many miss none."""
    row = connection.execute(
        f"""
        WITH RECURSIVE {_missing()}, standing AS (
            SELECT volume_id, bool_or(state IS NULL OR state IN ('failed', 'done')) AS stuck
            FROM missing GROUP BY volume_id)
        SELECT asked.number, asked.number - waited.stuck, asked.number - waited.number
        FROM (SELECT count(*) AS number FROM ledger WHERE job_id = %(job)s AND state = 'blocked') asked,
             (SELECT count(*) AS number, count(*) FILTER (WHERE stuck) AS stuck FROM standing) waited
        """.encode(),
        {"job": job_id},
    ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


# Figures ------------------------------------------------------------------------------------------------


@frozen
class BlockedOn:
    """How many of a job's volumes are blocked on an input, by how that stands.

    Attributes:
        input: the slot's name.
        job_name: the job that it is bound to; None: to none.
        waiting: will be done there: asked for, or blocked there by what will be done.
        failed: given up there, or by a job further up the chain that blocks it there.
        not_asked: that job (or one further up) was never asked for them, or did them at another version only.
    """

    input: str
    job_name: str | None
    waiting: int
    failed: int
    not_asked: int


def blocked_on(connection: Connection, job_id: int) -> list[BlockedOn]:
    """What blocks a job's volumes; one that two inputs block is counted at both."""
    rows = connection.execute(
        f"""
        WITH RECURSIVE {_missing()}, standing AS (
            SELECT volume_id, name, coalesce(bool_or(state = 'failed'), false) AS failed,
                   bool_or(state IS NULL OR state = 'done') AS not_asked
            FROM missing GROUP BY volume_id, name
        ), counted AS (
            SELECT name, count(*) FILTER (WHERE NOT failed AND NOT not_asked) AS waiting,
                   count(*) FILTER (WHERE failed) AS failed,
                   count(*) FILTER (WHERE not_asked AND NOT failed) AS not_asked
            FROM standing GROUP BY name)
        SELECT i.name, j.name, c.waiting, c.failed, c.not_asked
        FROM counted c JOIN job_inputs i ON (i.job_id, i.name) = (%(job)s, c.name)
        LEFT JOIN jobs j ON j.id = i.input_job_id
        ORDER BY i.name
        """.encode(),
        {"job": job_id},
    )
    return [BlockedOn(*row) for row in rows]
