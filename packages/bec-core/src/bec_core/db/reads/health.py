"""SQL for judging whether a job is well: the figures that the rules of :mod:`bec_core.admin.health` are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.backlog import Backlog, backlog
from bec_core.db.feeding import FeederRow, feeder_of
from bec_core.db.reads.ended import Cause, ended_sql
from bec_core.db.workers import ALIVE_S

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class PageErrorRate:
    """How many pages of how many volumes failed."""

    volumes: int
    pages: int
    failed: int

    @property
    def rate(self) -> float:
        """Failed pages by pages; 0 without any."""
        return self.failed / self.pages if self.pages else 0.0


@frozen
class Figures:
    """A job's figures; times in seconds before now, by the server's clock, None where it never was.

    Attributes:
        backlog: what waits and runs, and who lives.
        feeder: the job's feeder, if it has one.
        dead_workers: workers that ended without a word and that nobody has looked after.
        changed_s: the job was changed: paused, resumed, given a config.
        asked_s: the volume that waits longest was asked for.
        heard_s: any worker of it was heard of.
        worked_s: the first of the workers that were heard of within the time in question started.
        ended_s: a volume ended, well or badly.
        given_up: volumes that failed for good within the time in question.
        ended: the volumes looked at, the latest.
        cause: what failed most of these.
        recent: the page errors of these.
        past: the page errors of the volumes before these.
    """

    backlog: Backlog
    feeder: FeederRow | None
    dead_workers: int
    changed_s: float
    asked_s: float | None
    heard_s: float | None
    worked_s: float | None
    ended_s: float | None
    given_up: int
    ended: int
    cause: Cause | None
    recent: PageErrorRate
    past: PageErrorRate


def figures(
    connection: Connection,
    job_id: int,
    *,
    at_work_within_s: float,
    given_up_within_s: float,
    ended_within_s: float,
    latest: int,
    before: int,
) -> Figures:
    """The job's figures; ``latest`` volumes that ended are judged, by up to ``before`` that ended before them."""
    now, feeder = backlog(connection, job_id), feeder_of(connection, job_id)
    row = connection.execute(
        """
        WITH mine AS (SELECT * FROM workers WHERE job_id = %(job)s),
        ages AS (
            SELECT (SELECT updated_at FROM jobs WHERE id = %(job)s) AS changed,
                   (SELECT min(requested_at) FROM ledger WHERE job_id = %(job)s AND state = 'waiting') AS asked,
                   (SELECT max(last_heartbeat_at) FROM mine) AS heard,
                   (SELECT min(started_at) FROM mine
                    WHERE last_heartbeat_at > statement_timestamp() - make_interval(secs => %(at_work)s)) AS worked
        )
        SELECT (SELECT count(*) FROM mine WHERE stopped_at IS NULL
                AND last_heartbeat_at <= statement_timestamp() - make_interval(secs => %(alive)s)),
               coalesce(extract(epoch FROM statement_timestamp() - changed), 0)::float8,
               extract(epoch FROM statement_timestamp() - asked)::float8,
               extract(epoch FROM statement_timestamp() - heard)::float8,
               extract(epoch FROM statement_timestamp() - worked)::float8,
               (SELECT count(*) FROM ledger WHERE job_id = %(job)s AND state = 'failed'
                AND changed_at > statement_timestamp() - make_interval(secs => %(given_up)s))
        FROM ages
        """,
        {"job": job_id, "at_work": at_work_within_s, "given_up": given_up_within_s, "alive": ALIVE_S},
    ).fetchone()
    assert row is not None
    dead, changed_s, asked_s, heard_s, worked_s, given_up = row
    row = connection.execute(
        f"{_ENDED} {_ENDED_FIGURES}".encode(),
        {"job": job_id, "within": ended_within_s, "latest": latest, "most": latest + before},
    ).fetchone()
    assert row is not None
    ended_s, ended, fingerprint, stage, kind, volumes, message, *rates = row
    cause = Cause(fingerprint, stage, kind, volumes, message) if fingerprint is not None else None
    return Figures(
        now, feeder, dead, changed_s, asked_s, heard_s, worked_s, ended_s, given_up, ended, cause,
        PageErrorRate(*rates[:3]), PageErrorRate(*rates[3:]),
    )  # fmt: skip


_ENDED = ended_sql(since="statement_timestamp() - make_interval(secs => %(within)s)")
_ENDED_FIGURES = """
    SELECT (SELECT extract(epoch FROM statement_timestamp() - max(done_at))::float8 FROM ended),
           (SELECT count(*) FROM latest),
           c.fingerprint, c.stage, c.kind, c.volumes, c.message, recent.*, earlier.*
    FROM (SELECT count(*), coalesce(sum(total_images), 0)::bigint, coalesce(sum(nb_errors), 0)::bigint
          FROM latest WHERE total_images > 0) recent,
         (SELECT count(*), coalesce(sum(total_images), 0)::bigint, coalesce(sum(nb_errors), 0)::bigint
          FROM past WHERE total_images > 0) earlier
    LEFT JOIN cause c ON true
"""
