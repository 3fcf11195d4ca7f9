"""SQL over ``jobs`` and ``job_config_revisions``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from bec_core.errors import ConflictError, NotFoundError
from bec_core.models import Job, JobStatus
from bec_core.words import meant, named

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

_COLUMNS = (
    "id, name, coalesce(type, name), config, config_revision, status, queue_url, dlq_url, created_at, updated_at,"
    " artifact_root, shares_prefix, brake_reason"
)


def _job(row: tuple[Any, ...]) -> Job:
    job_id, name, job_type, config, revision, status, *rest = row
    return Job(job_id, name, job_type, config, revision, JobStatus(status), *rest)


def create(
    connection: Connection,
    *,
    name: str,
    job_type: str,
    config: Mapping[str, Any],
    queue_url: str,
    dlq_url: str,
    artifact_root: str | None = None,
    shares_prefix: bool = False,
) -> Job:
    """Insert a job with revision 1 of its config.

    Raises:
        ConflictError: there is a job of this name.
    """
    try:
        row = connection.execute(
            "INSERT INTO jobs (name, type, config, queue_url, dlq_url, artifact_root, shares_prefix)"
            f" VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
            (name, job_type, Jsonb(dict(config)), queue_url, dlq_url, artifact_root, shares_prefix),
        ).fetchone()
    except psycopg.errors.UniqueViolation:
        raise ConflictError(f"there is a job named {name!r} already; see: bec jobs show {name}") from None
    assert row is not None
    job = _job(row)
    _add_revision(connection, job.id, 1, config)
    return job


def _add_revision(connection: Connection, job_id: int, revision: int, config: Mapping[str, Any]) -> None:
    connection.execute(
        "INSERT INTO job_config_revisions (job_id, revision, config) VALUES (%s, %s, %s)",
        (job_id, revision, Jsonb(dict(config))),
    )


def get(connection: Connection, name_or_id: str | int) -> Job:
    """The job of this name, or else of this id.

    Raises:
        NotFoundError: there is none; the message names some that there are, and those that look like it.
    """
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM jobs WHERE name = %(key)s OR id::text = %(key)s"
        " ORDER BY name = %(key)s DESC LIMIT 1",
        {"key": str(name_or_id)},
    ).fetchone()
    if row is None:
        names = [job.name for job in list_all(connection)]
        known = named(names) if names else "none yet; see: bec jobs create --help"
        raise NotFoundError(f"there is no job {name_or_id!r} (jobs: {known}){meant(str(name_or_id), names)}")
    return _job(row)


def list_all(connection: Connection) -> list[Job]:
    """All jobs by id."""
    return [_job(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY id")]


def user_of(connection: Connection, urls: Sequence[str], *, besides: str) -> Job | None:
    """A job of another name that uses one of these queues; until the transaction ends no job is made or changed."""
    connection.execute("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE")
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM jobs WHERE name <> %(name)s"
        " AND (queue_url = ANY(%(urls)s) OR dlq_url = ANY(%(urls)s)) ORDER BY id LIMIT 1",
        {"name": besides, "urls": list(urls)},
    ).fetchone()
    return _job(row) if row else None


def update_config(
    connection: Connection,
    job_id: int,
    config: Mapping[str, Any],
    *,
    artifact_root: str | None = None,
    shares_prefix: bool = False,
) -> Job:
    """Set a new config as the next revision; its new artifacts go to ``artifact_root``."""
    row = connection.execute(
        "UPDATE jobs SET config = %s, config_revision = config_revision + 1, updated_at = now(), brake_from = now(),"
        f" artifact_root = %s, shares_prefix = shares_prefix OR %s WHERE id = %s RETURNING {_COLUMNS}",
        (Jsonb(dict(config)), artifact_root, shares_prefix, job_id),
    ).fetchone()
    if row is None:
        raise NotFoundError(f"there is no job {job_id}")
    job = _job(row)
    _add_revision(connection, job.id, job.config_revision, config)
    return job


def set_status(connection: Connection, job_id: int, status: JobStatus) -> None:
    """Mark a job; one that goes on is judged by what ends from now on."""
    connection.execute(
        "UPDATE jobs SET status = %(status)s::job_status, updated_at = now(), brake_reason = NULL,"
        " brake_from = CASE WHEN %(status)s::job_status = 'active' THEN now() ELSE brake_from END WHERE id = %(job)s",
        {"status": status.value, "job": job_id},
    )


def judged_from(connection: Connection, job_id: int) -> datetime | None:
    """What ended before then is of no account to the brake; None: all that ever ended counts."""
    row = connection.execute("SELECT brake_from FROM jobs WHERE id = %s", (job_id,)).fetchone()
    return row[0] if row else None


def pull_brake(connection: Connection, job_id: int, reason: str, *, judged_from: datetime | None) -> bool:
    """Pause a job for a reason; False where somebody marked it, or let it go on, since it was judged."""
    return bool(
        connection.execute(
            "UPDATE jobs SET status = 'paused', brake_reason = %s, updated_at = now()"
            " WHERE id = %s AND status = 'active' AND brake_from IS NOT DISTINCT FROM %s",
            (reason, job_id, judged_from),
        ).rowcount
    )


def delete(connection: Connection, job_id: int) -> None:
    """Delete a job with its tasks, its ledger and its config's revisions."""
    connection.execute("DELETE FROM jobs WHERE id = %s", (job_id,))


def revisions(connection: Connection, job_id: int) -> list[tuple[int, dict[str, Any], Any]]:
    """Every config that the job had: revision, config, time of creation; newest first."""
    return [
        (row[0], row[1], row[2])
        for row in connection.execute(
            "SELECT revision, config, created_at FROM job_config_revisions WHERE job_id = %s ORDER BY revision DESC",
            (job_id,),
        )
    ]
