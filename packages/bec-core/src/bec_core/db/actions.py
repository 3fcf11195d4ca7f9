"""SQL over ``operator_actions``: who did what to a job, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Action:
    """What an operator did: ``number`` is of volumes, messages or versions; ``details`` what else there is to say."""

    at: datetime
    who: str
    action: str
    job_id: int | None
    job_name: str
    number: int | None
    details: Mapping[str, Any]


def record(
    connection: Connection,
    *,
    who: str,
    action: str,
    job_id: int | None,
    job_name: str,
    number: int | None = None,
    details: Mapping[str, Any],
) -> None:
    """Keep what was done, in the transaction that did it or right after."""
    connection.execute(
        "INSERT INTO operator_actions (who, action, job_id, job_name, number, details)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (who, action, job_id, job_name, number, Jsonb(dict(details))),
    )


def latest(connection: Connection, job_id: int | None, *, limit: int) -> list[Action]:
    """The latest actions first, of one job or of all, also of those that were deleted."""
    rows = connection.execute(
        "SELECT at, who, action, job_id, job_name, number, details FROM operator_actions"
        " WHERE %(job)s::int IS NULL OR job_id = %(job)s ORDER BY id DESC LIMIT %(limit)s",
        {"job": job_id, "limit": limit},
    )
    return [Action(*row) for row in rows]
