"""SQL for reading the volumes: versions, images, and how they stand with which jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from bec_core.db.stale import CHANGED_INPUTS
from bec_core.models import TaskStatus

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class VolumeRow:
    """A volume; ``standing`` is, for each job that it is a matter of, how its latest task (or its request) stands;
    ``stale`` names the jobs by an older recipe of which it was done."""

    id: int
    w_id: str
    i_id: str
    etag: bytes | None
    nb_images: int | None
    last_modified_at: datetime | None
    standing: tuple[tuple[str, str], ...]
    stale: tuple[str, ...] = ()


_LEAST = 500  # candidates at a time

_STANDING = """
    SELECT j.name, coalesce(
        CASE WHEN l.state IN ('waiting', 'blocked', 'held') AND coalesce(t.status, 'done') <> 'running' THEN l.state
             ELSE t.status::text END,
        l.state),
        coalesce(t.status = 'done' AND t.recipe <> (
            SELECT recipe FROM job_recipes r WHERE r.job_id = j.id ORDER BY declared_at DESC LIMIT 1), false)
            OR coalesce(t.status = 'done' AND {changed} IS NOT NULL, false)
    FROM jobs j
    LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (j.id, v.id)
    LEFT JOIN LATERAL (
        SELECT status, recipe, lineage, volume_id, s3_etag FROM task_executions t
        WHERE t.volume_id = v.id AND t.job_id = j.id
        ORDER BY started_at DESC NULLS LAST, id DESC LIMIT 1
    ) t ON true
    WHERE l.job_id IS NOT NULL OR t.status IS NOT NULL
    ORDER BY j.id
""".format(changed=CHANGED_INPUTS.format(job="j.id"))


def volumes(
    connection: Connection,
    *,
    job_id: int | None = None,
    status: str | None = None,
    beginning: str = "",
    limit: int,
    after: int = 0,
) -> list[VolumeRow]:
    """Volumes by their ids in the database, from ``after`` on.

    Args:
        job_id: only those that the job was asked for or has a task of.
        status: with ``job_id``: only those that stand so with it (waiting, running, done, …).
        beginning: only those whose W_ID begins so.
    """
    if job_id is None or status is None:
        return _volumes(connection, job_id, status, beginning, limit, after)
    found: list[VolumeRow] = []
    while len(found) < limit:
        candidates, after, is_all = _candidates(connection, job_id, status, max(_LEAST, limit), after)
        found += _volumes(connection, job_id, status, beginning, limit - len(found), 0, candidates)
        if is_all:
            break
    return found


def _candidates(
    connection: Connection, job_id: int, status: str, number: int, after: int
) -> tuple[list[int], int, bool]:
    """Volumes that may stand so, as an entry or a task of the job says it; up to which one, and whether that is all.

    How a volume stands is known only from both, and looking at each volume of a million takes seconds.
    """
    said = [
        "SELECT volume_id FROM ledger WHERE job_id = %(job)s AND state = %(status)s",
    ]
    if status in set(TaskStatus):
        said.append(
            "SELECT volume_id FROM task_executions WHERE job_id = %(job)s AND status = %(status)s::task_status"
        )
    values = {"job": job_id, "status": status, "after": after, "number": number}
    each = [
        [
            row[0]
            for row in connection.execute(
                f"{one} AND volume_id > %(after)s ORDER BY volume_id LIMIT %(number)s".encode(), values
            )
        ]
        for one in said
    ]
    ends = [ids[-1] for ids in each if len(ids) == number]  # those say no more of what comes after
    end = min(ends, default=None)
    ids = {one for part in each for one in part if end is None or one <= end}
    return sorted(ids), after if end is None else end, end is None


def _volumes(
    connection: Connection,
    job_id: int | None,
    status: str | None,
    beginning: str,
    limit: int,
    after: int,
    candidates: list[int] | None = None,
) -> list[VolumeRow]:
    rows = connection.execute(
        f"""
        SELECT v.id, v.bdrc_w_id, v.bdrc_i_id, v.last_s3_etag, v.nb_images, v.last_modified_at, s.standing
        FROM volumes v
        CROSS JOIN LATERAL (
            SELECT coalesce(jsonb_agg(jsonb_build_array(one.name, one.standing, one.stale)), '[]') AS standing,
                   bool_or(one.name = j.name AND (%(status)s::text IS NULL OR one.standing = %(status)s)) AS fits
            FROM ({_STANDING}) AS one (name, standing, stale) LEFT JOIN jobs j ON j.id = %(job)s
        ) s
        WHERE v.id > %(after)s AND starts_with(v.bdrc_w_id, %(beginning)s) AND (%(job)s::int IS NULL OR s.fits)
          {"" if candidates is None else "AND v.id = ANY(%(candidates)s::int[])"}
        ORDER BY v.id LIMIT %(limit)s
        """,
        {
            "job": job_id,
            "status": status,
            "beginning": beginning,
            "after": after,
            "limit": limit,
            "candidates": candidates,
        },
    )
    return [_volume(row) for row in rows]


def _volume(row: tuple[Any, ...]) -> VolumeRow:
    *values, standing = row
    values.append(tuple((name, how) for name, how, _ in standing))
    values.append(tuple(name for name, _, is_stale in standing if is_stale))
    return VolumeRow(*values)


def named(connection: Connection, w_id: str, i_id: str) -> list[VolumeRow]:
    """The volumes of these ids, of whatever source."""
    rows = connection.execute(
        f"""
        SELECT v.id, v.bdrc_w_id, v.bdrc_i_id, v.last_s3_etag, v.nb_images, v.last_modified_at,
               (SELECT coalesce(jsonb_agg(jsonb_build_array(one.name, one.standing, one.stale)), '[]')
                FROM ({_STANDING}) AS one (name, standing, stale))
        FROM volumes v
        WHERE v.bdrc_i_id = %(i)s AND (v.bdrc_w_id = %(w)s OR split_part(v.bdrc_w_id, ':', 2) = %(w)s)
        ORDER BY v.bdrc_w_id <> %(w)s, v.bdrc_w_id
        """,
        {"w": w_id, "i": i_id},
    )
    return [_volume(row) for row in rows]


@frozen
class VolumeTask:
    """A task of a volume; ``root`` is the first folder of its artifacts."""

    id: int
    job_name: str
    root: str
    etag: bytes
    version: str | None
    status: TaskStatus
    attempt: int
    total_images: int | None
    nb_errors: int | None
    config_revision: int | None
    plugin_version: str | None
    done_at: datetime | None
    error_type: str | None


def tasks(connection: Connection, volume_id: int) -> list[VolumeTask]:
    """The volume's tasks, by job, the latest version first."""
    rows = connection.execute(
        """
        SELECT t.id, j.name, coalesce(t.artifact_root,
               CASE WHEN r.job_id IS NULL THEN j.config ELSE r.config END ->> 'artifact_prefix', j.name),
               t.s3_etag, t.version, t.status, t.attempt, t.total_images, t.nb_errors, t.config_revision,
               t.plugin_version, t.done_at, t.error_type
        FROM task_executions t JOIN jobs j ON j.id = t.job_id
        LEFT JOIN job_config_revisions r ON (r.job_id, r.revision) = (t.job_id, t.config_revision)
        WHERE t.volume_id = %s ORDER BY j.id, t.started_at DESC NULLS LAST, t.id DESC
        """,
        (volume_id,),
    )
    return [_task(row) for row in rows]


def _task(row: tuple[Any, ...]) -> VolumeTask:
    task_id, job_name, root, etag, version, status, *rest = row
    return VolumeTask(task_id, job_name, root, etag, version, TaskStatus(status), *rest)
