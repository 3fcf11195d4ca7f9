"""SQL for what is out of date: done by another recipe than workers have now, or from inputs that are others by now.

Both are comparisons by content. What was done by an unknown recipe, or read what nobody knows the content of, is
never stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen
from psycopg.types.json import Jsonb

from bec_core.db.requeue import ref_of
from bec_core.models import VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

_OTHERS = """
    FROM jsonb_array_elements(t.lineage) AS r
    JOIN job_inputs i ON i.job_id = {job} AND i.name = r ->> 'input'
    JOIN jobs read ON read.id = i.input_job_id
    LEFT JOIN task_executions u
        ON (u.job_id, u.volume_id, u.s3_etag) = (i.input_job_id, t.volume_id, t.s3_etag) AND u.status = 'done'
    WHERE CASE WHEN u.artifacts IS NOT NULL THEN u.artifacts ->> (r ->> 'artifact') IS DISTINCT FROM r ->> 'sha256'
               ELSE u.id IS NULL AND read.name <> r ->> 'job' END
"""

CHANGED_INPUTS = f"(SELECT array_agg(DISTINCT i.name ORDER BY i.name) {_OTHERS})"
"""The inputs of a finished task ``t`` of which something else stands now than it read; NULL: none.

A job that an input was bound to since, and that has not done the volume, is something else too.
"""

_NEWEST = """
    SELECT r.recipe, r.contents, EXISTS (SELECT FROM job_inputs WHERE job_id = %(job)s),
           (SELECT count(*) FROM job_recipes WHERE job_id = %(job)s)
    FROM (VALUES (1)) always LEFT JOIN LATERAL (
        SELECT recipe, contents FROM job_recipes WHERE job_id = %(job)s ORDER BY declared_at DESC LIMIT 1) r ON true
"""

_OLDER = "coalesce({one}.recipe <> %(newest)s::text, false)"

_OF_LATEST = "(SELECT {what} FROM task_executions t WHERE t.id = latest.task_id)"
_CHANGED = _OF_LATEST.format(what=CHANGED_INPUTS.format(job="%(job)s"))
_IS_CHANGED = _OF_LATEST.format(what=f"EXISTS (SELECT {_OTHERS.format(job='%(job)s')})")

_STALE = """
    WITH anew AS (
        SELECT id, volume_id FROM task_executions
        WHERE job_id = %(job)s AND status IN ('running', 'retryable_failed', 'terminal_failed')
    ), again AS (
        SELECT volume_id, request FROM ledger WHERE job_id = %(job)s AND state IN ('waiting', 'blocked', 'held')
    ), one AS (
        SELECT volume_id, recipe, request, {changed} AS changed FROM standing_results latest
        WHERE job_id = %(job)s AND {stale} AND NOT EXISTS (SELECT FROM anew WHERE anew.id = latest.task_id)
        UNION ALL
        SELECT anew.volume_id, latest.recipe, latest.request, {changed}
        FROM anew JOIN standing_results s ON (s.job_id, s.volume_id, s.task_id) = (%(job)s, anew.volume_id, anew.id)
        CROSS JOIN LATERAL (
            SELECT id AS task_id, recipe, request FROM task_executions t
            WHERE (t.job_id, t.volume_id) = (%(job)s, anew.volume_id) AND t.status = 'done'
            ORDER BY t.done_at DESC NULLS LAST, t.id DESC LIMIT 1) latest
        WHERE {stale}
    )
    SELECT {columns}
    FROM one {more}
    WHERE NOT EXISTS (SELECT FROM again a WHERE a.volume_id = one.volume_id AND a.request > one.request)
    {order}
"""
"""The latest done task of a volume is that of its standing result; while that task is done anew, or was in vain, it
is the one before (``anew``: such tasks, and those that never were done). No table is sorted, and none but the narrow
one of standing results is read whole."""


@frozen
class StaleVolume:
    """A volume that is out of date.

    Attributes:
        ref: the volume.
        inputs: the names of those inputs that are others by now.
        was, now: what the recipe was made of, and what the newest declared one is made of; None: the recipe is the
            newest. ``was`` is empty where nobody knows it any more.
    """

    ref: VolumeRef
    inputs: tuple[str, ...]
    was: Mapping[str, Any] | None
    now: Mapping[str, Any] | None


def count_stale(connection: Connection, job_id: int) -> int:
    """How many :func:`stale` would list. Costs nothing for a job that can't have any."""
    return sum(row[0] for row in _rows(connection, job_id, "count(*)"))


def _rows(
    connection: Connection, job_id: int, columns: str, more: str = "", order: str = ""
) -> list[tuple[Any, ...]]:
    """Of what is out of date: ``one`` with its ``changed`` inputs; nothing of a job that can't have any."""
    row = connection.execute(_NEWEST, {"job": job_id}).fetchone()
    assert row is not None
    newest, contents, reads, recipes = row
    if recipes < 2 and not reads:
        return []
    older = _OLDER.format(one="latest")
    statement = _STALE.format(
        changed=_CHANGED if reads and more else "NULL::text[]",
        stale=f"({older} OR {_IS_CHANGED})" if reads else older,
        columns=columns,
        more=more,
        order=order,
    )
    return connection.execute(
        statement.encode(),
        {"job": job_id, "newest": newest, "contents": Jsonb(contents)},
        prepare=False,  # how many are out of date hangs on which recipe is the newest, and the plan on how many
    ).fetchall()


def revision_unseen(connection: Connection, job_id: int) -> bool:
    """Whether the job got its present revision after its newest worker had started (which says the newest recipe)."""
    row = connection.execute(
        "SELECT max(r.declared_at) < c.created_at FROM jobs j"
        " JOIN job_config_revisions c ON (c.job_id, c.revision) = (j.id, j.config_revision)"
        " JOIN job_recipes r ON r.job_id = j.id WHERE j.id = %s GROUP BY c.created_at",
        (job_id,),
    ).fetchone()
    return row is not None and bool(row[0])


def count_unknown(connection: Connection, job_id: int) -> int:
    """How many volumes a job has done last by a recipe that nobody knows: they are never out of date."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT DISTINCT ON (volume_id) recipe FROM task_executions"
        " WHERE job_id = %s AND status = 'done' ORDER BY volume_id, done_at DESC NULLS LAST, id DESC) t"
        " WHERE recipe IS NULL",
        (job_id,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def stale(connection: Connection, job_id: int) -> list[StaleVolume]:
    """The volumes whose latest result is out of date, and that were not asked for again since; by name."""
    older = _OLDER.format(one="one")
    rows = _rows(
        connection,
        job_id,
        "v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, one.changed,"
        f" CASE WHEN {older} THEN coalesce(was.contents, '{{}}') END,"
        f" CASE WHEN {older} THEN %(contents)s END",
        "JOIN volumes v ON v.id = one.volume_id"
        " LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (%(job)s, one.volume_id)"
        " LEFT JOIN job_recipes was ON (was.job_id, was.recipe) = (%(job)s, one.recipe)",
        "ORDER BY v.bdrc_w_id, v.bdrc_i_id",
    )
    return [StaleVolume(ref_of(*row[:4]), tuple(row[4] or ()), row[5], row[6]) for row in rows]
