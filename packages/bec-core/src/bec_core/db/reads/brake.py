"""SQL for a job's brake: the causes of what failed last, and the metrics of what was done last and before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

from bec_core.db.reads.ended import Cause, ended_sql

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Ended:
    """What ended last: since when it is judged (None: the job's beginning), how many volumes, the commonest cause."""

    judged_from: datetime | None
    volumes: int
    cause: Cause | None


@frozen
class Drift:
    """A metric's weighted mean over the volumes done last and over those before; how many volumes gave it."""

    latest: float | None
    latest_volumes: int
    past: float | None
    past_volumes: int


_FROM = "(SELECT coalesce(brake_from, '-infinity') FROM jobs WHERE id = %(job)s)"
_ENDED = ended_sql(
    since=_FROM, counts="(failures > 0 OR status = 'terminal_failed') AND error_type <> ALL (%(nobodys)s)"
)


def ended(connection: Connection, job_id: int, *, latest: int, nobodys: Sequence[str]) -> Ended:
    """The ``latest`` volumes that ended; failures of the error types ``nobodys`` are left out."""
    row = connection.execute(
        f"""{_ENDED}
        SELECT (SELECT brake_from FROM jobs WHERE id = %(job)s), (SELECT count(*) FROM latest),
               c.fingerprint, c.stage, c.kind, c.volumes, c.message
        FROM (VALUES (1)) one LEFT JOIN cause c ON true
        """.encode(),
        {"job": job_id, "latest": latest, "most": latest, "nobodys": list(nobodys)},
    ).fetchone()
    assert row is not None
    judged_from, volumes, fingerprint, *cause = row
    return Ended(judged_from, volumes, None if fingerprint is None else Cause(fingerprint, *cause))


_MEANS = """
        SELECT sum(value * weight) FILTER (WHERE recent) / sum(weight) FILTER (WHERE recent),
               count(*) FILTER (WHERE recent),
               sum(value * weight) FILTER (WHERE NOT recent) / sum(weight) FILTER (WHERE NOT recent),
               count(*) FILTER (WHERE NOT recent)
        FROM placed
"""
_VALUES = "(metrics ->> %(metric)s)::float8 AS value, (metrics ->> %(weight)s)::float8 AS weight"


def drift(connection: Connection, job_id: int, metric: str, weight: str, *, latest: int, past: int) -> Drift:
    """The mean of a metric over the ``latest`` volumes that were done and have it, and over up to ``past`` before."""
    row = connection.execute(
        f"""
        WITH given AS (
            SELECT {_VALUES}, done_at
            FROM task_executions
            WHERE job_id = %(job)s AND status = 'done' AND done_at > {_FROM}
            ORDER BY done_at DESC LIMIT %(most)s
        ), placed AS (
            SELECT *, row_number() OVER (ORDER BY done_at DESC) <= %(latest)s AS recent FROM given
            WHERE value IS NOT NULL AND weight > 0
        )
        {_MEANS}""".encode(),
        {"job": job_id, "metric": metric, "weight": weight, "latest": latest, "most": latest + past},
    ).fetchone()
    assert row is not None
    return Drift(*row)


def drift_of(
    connection: Connection,
    job_id: int,
    metric: str,
    weight: str,
    volume_ids: Sequence[int],
    *,
    since: datetime,
    past: int,
) -> Drift:
    """The mean of a metric over these volumes, done ``since`` then, and over up to ``past`` done before."""
    row = connection.execute(
        f"""
        WITH placed AS (
            SELECT * FROM (
                SELECT {_VALUES}, true AS recent FROM task_executions
                WHERE job_id = %(job)s AND status = 'done' AND done_at > %(since)s AND volume_id = ANY(%(ids)s::int[])
                UNION ALL (
                SELECT {_VALUES}, false FROM task_executions
                WHERE job_id = %(job)s AND status = 'done' AND done_at <= %(since)s
                ORDER BY done_at DESC LIMIT %(past)s)
            ) given WHERE value IS NOT NULL AND weight > 0
        )
        {_MEANS}""".encode(),
        {
            "job": job_id, "metric": metric, "weight": weight, "ids": list(volume_ids), "since": since, "past": past,
        },
    ).fetchone()  # fmt: skip
    assert row is not None
    return Drift(*row)
