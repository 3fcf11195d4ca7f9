"""SQL over ``job_recipes``: by what a job's workers work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


def declare(connection: Connection, job_id: int, recipe: str, contents: Mapping[str, Any]) -> None:
    """Say that a worker with this recipe starts now: it is the job's newest."""
    connection.execute(
        "INSERT INTO job_recipes (job_id, recipe, contents, declared_at) VALUES (%s, %s, %s, clock_timestamp())"
        " ON CONFLICT (job_id, recipe) DO UPDATE SET declared_at = excluded.declared_at",
        (job_id, recipe, Jsonb(dict(contents))),
    )


def newest(connection: Connection, job_id: int) -> str | None:
    """The recipe that was declared last; None: no worker ever declared one."""
    row = connection.execute(
        "SELECT recipe FROM job_recipes WHERE job_id = %s ORDER BY declared_at DESC LIMIT 1", (job_id,)
    ).fetchone()
    return row[0] if row else None


def ingredients(connection: Connection, job_id: int) -> list[tuple[Mapping[str, str], str]]:
    """Resources (name to SHA-256) and arithmetic of each recipe of the job, the newest declared first."""
    rows = connection.execute(
        """
        SELECT coalesce(contents -> 'resources', '{}'::jsonb), coalesce(contents ->> 'arithmetic', '')
        FROM job_recipes WHERE job_id = %s ORDER BY declared_at DESC
        """,
        (job_id,),
    )
    return [(row[0], row[1]) for row in rows]


def living_ingredients(
    connection: Connection, job_id: int, *, alive_s: float
) -> list[tuple[int, Mapping[str, str], str]]:
    """Each live worker of the job, its resources (name to SHA-256) and its arithmetic."""
    rows = connection.execute(
        """
        SELECT w.worker_id, coalesce(r.contents -> 'resources', '{}'::jsonb), coalesce(r.contents ->> 'arithmetic', '')
        FROM workers w JOIN job_recipes r ON (r.job_id, r.recipe) = (w.job_id, w.recipe)
        WHERE w.job_id = %s AND w.stopped_at IS NULL
          AND w.last_heartbeat_at > statement_timestamp() - make_interval(secs => %s)
        ORDER BY w.worker_id
        """,
        (job_id, alive_s),
    )
    return [(row[0], row[1], row[2]) for row in rows]
