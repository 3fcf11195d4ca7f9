"""SQL for what is out of date: done by another recipe than workers have now, or from inputs that are others by now.

Both are comparisons by content. What was done by an unknown recipe, or read what nobody knows the content of, is
never stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from bec_core.db.requeue import ref_of
from bec_core.models import VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

CHANGED_INPUTS = """(
    SELECT array_agg(DISTINCT i.name ORDER BY i.name)
    FROM jsonb_array_elements(t.lineage) AS r
    JOIN job_inputs i ON i.job_id = {job} AND i.name = r ->> 'input'
    JOIN jobs read ON read.id = i.input_job_id
    LEFT JOIN task_executions u
        ON (u.job_id, u.volume_id, u.s3_etag) = (i.input_job_id, t.volume_id, t.s3_etag) AND u.status = 'done'
    WHERE CASE WHEN u.artifacts IS NOT NULL THEN u.artifacts ->> (r ->> 'artifact') IS DISTINCT FROM r ->> 'sha256'
               ELSE u.id IS NULL AND read.name <> r ->> 'job' END
)"""
"""The inputs of a finished task ``t`` of which something else stands now than it read; NULL: none.

A job that an input was bound to since, and that has not done the volume, is something else too.
"""

_STALE = f"""
    WITH newest AS (
        SELECT recipe, contents FROM job_recipes WHERE job_id = %(job)s ORDER BY declared_at DESC LIMIT 1
    ), latest AS (
        SELECT DISTINCT ON (volume_id) volume_id, s3_etag, recipe, request, lineage FROM task_executions
        WHERE job_id = %(job)s AND status = 'done' ORDER BY volume_id, done_at DESC NULLS LAST, id DESC
    ), one AS (
        SELECT t.volume_id, t.request, t.recipe, coalesce(t.recipe <> n.recipe, false) AS by_recipe, n.contents,
               {CHANGED_INPUTS.format(job="%(job)s")} AS changed
        FROM latest t LEFT JOIN newest n ON true
    )
    SELECT {{columns}}
    FROM one JOIN volumes v ON v.id = one.volume_id
    LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (%(job)s, one.volume_id)
    LEFT JOIN job_recipes was ON (was.job_id, was.recipe) = (%(job)s, one.recipe)
    WHERE (one.by_recipe OR one.changed IS NOT NULL)
      AND NOT coalesce(l.state IN ('waiting', 'blocked', 'held') AND l.request > one.request, false)
"""


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
    row = connection.execute(
        "SELECT (SELECT count(*) FROM job_recipes WHERE job_id = %(job)s) > 1"
        " OR EXISTS (SELECT FROM job_inputs WHERE job_id = %(job)s)",
        {"job": job_id},
    ).fetchone()
    if row is None or not row[0]:
        return 0
    row = connection.execute(_STALE.format(columns="count(*)").encode(), {"job": job_id}).fetchone()
    assert row is not None
    return int(row[0])


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
    columns = (
        "v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, one.changed,"
        " CASE WHEN one.by_recipe THEN coalesce(was.contents, '{}') END,"
        " CASE WHEN one.by_recipe THEN one.contents END"
    )
    statement = f"{_STALE.format(columns=columns)} ORDER BY v.bdrc_w_id, v.bdrc_i_id"
    rows = connection.execute(statement.encode(), {"job": job_id})
    return [StaleVolume(ref_of(*row[:4]), tuple(row[4] or ()), row[5], row[6]) for row in rows]
