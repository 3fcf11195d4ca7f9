"""SQL over ``job_inputs``: which job reads which, and how what it reads stands for a volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class BoundInput:
    """An input of a job, as it is bound.

    Attributes:
        name: the slot's.
        job_id, job_name: the job that it reads; None while it is bound to none, which blocks every volume.
        artifact_root: where that job's new artifacts lie.
        artifacts: suffixes that a volume that is done there must have.
        follow: what gets done there is asked of the reader by itself.
    """

    name: str
    job_id: int | None
    job_name: str | None
    artifact_root: str | None
    artifacts: tuple[str, ...] = ()
    follow: bool = False


_ROOT = "coalesce(j.artifact_root, nullif(j.config ->> 'artifact_prefix', ''), j.name)"
_BOUND = f"i.name, i.input_job_id, j.name, {_ROOT}, i.artifacts, i.follow"


def bound(connection: Connection, job_id: int) -> list[BoundInput]:
    """The job's inputs by name."""
    rows = connection.execute(
        f"SELECT {_BOUND} FROM job_inputs i LEFT JOIN jobs j ON j.id = i.input_job_id"
        " WHERE i.job_id = %s ORDER BY i.name".encode(),
        (job_id,),
    )
    return [_bound(row) for row in rows]


def bound_of_all(connection: Connection) -> dict[int, list[BoundInput]]:
    """The inputs of every job that has any, by the job's id."""
    rows = connection.execute(
        f"SELECT {_BOUND}, i.job_id FROM job_inputs i LEFT JOIN jobs j ON j.id = i.input_job_id"
        " ORDER BY i.job_id, i.name".encode()
    )
    found: dict[int, list[BoundInput]] = {}
    for row in rows:
        found.setdefault(row[-1], []).append(_bound(row))
    return found


def _bound(row: Sequence[Any]) -> BoundInput:
    name, job_id, job_name, root, artifacts, follow = row[:6]
    return BoundInput(name, job_id, job_name, root, tuple(artifacts), follow)


def bind(
    connection: Connection,
    job_id: int,
    name: str,
    input_job_id: int | None,
    *,
    artifacts: Sequence[str] = (),
    follow: bool | None = None,
) -> None:
    """Bind an input to a job (None: to none yet); ``follow`` None leaves it as it is."""
    connection.execute(
        """
        INSERT INTO job_inputs AS i (job_id, name, input_job_id, artifacts, follow)
        VALUES (%(job)s, %(name)s, %(input)s, %(artifacts)s, coalesce(%(follow)s, false))
        ON CONFLICT (job_id, name) DO UPDATE SET input_job_id = excluded.input_job_id,
            artifacts = excluded.artifacts, follow = coalesce(%(follow)s, i.follow)
        """,
        {
            "job": job_id,
            "name": name,
            "input": input_job_id,
            "artifacts": list(artifacts),
            "follow": follow,
        },
    )


def set_follow(connection: Connection, job_id: int, follow: bool) -> None:
    """Whether what gets done by the jobs that it reads is asked of the job by itself."""
    connection.execute("UPDATE job_inputs SET follow = %s WHERE job_id = %s", (follow, job_id))


def look_again(connection: Connection, job_id: int) -> None:
    """Let the markers of what is blocked be looked for again: the job reads others now."""
    connection.execute(
        "UPDATE ledger SET looked_at = NULL WHERE job_id = %s AND state = 'blocked'", (job_id,)
    )


def readers(connection: Connection, job_id: int) -> list[str]:
    """The names of the jobs that read this one."""
    return [
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT j.name FROM job_inputs i JOIN jobs j ON j.id = i.job_id"
            " WHERE i.input_job_id = %s ORDER BY j.name",
            (job_id,),
        )
    ]


def upstream(connection: Connection, job_id: int) -> list[int]:
    """The ids of the jobs that the job reads, directly or through others, each after those that it reads itself."""
    rows = connection.execute(
        """
        WITH RECURSIVE read AS (
            SELECT input_job_id AS id, 1 AS depth FROM job_inputs WHERE job_id = %s AND input_job_id IS NOT NULL
            UNION ALL
            SELECT i.input_job_id, r.depth + 1 FROM job_inputs i JOIN read r ON i.job_id = r.id
            WHERE i.input_job_id IS NOT NULL AND r.depth < 100
        )
        SELECT id FROM read GROUP BY id ORDER BY max(depth) DESC, id
        """,
        (job_id,),
    )
    return [row[0] for row in rows]


def reaches(connection: Connection, job_id: int, wanted: int) -> bool:
    """Whether the job reads ``wanted``, directly or through others."""
    row = connection.execute(
        """
        WITH RECURSIVE read AS (
            SELECT input_job_id AS id FROM job_inputs WHERE job_id = %(job)s AND input_job_id IS NOT NULL
            UNION
            SELECT i.input_job_id FROM job_inputs i JOIN read r ON i.job_id = r.id
            WHERE i.input_job_id IS NOT NULL
        )
        SELECT 1 FROM read WHERE id = %(wanted)s
        """,
        {"job": job_id, "wanted": wanted},
    ).fetchone()
    return row is not None


def standing(
    connection: Connection, job_id: int, volume_id: int, etag: bytes
) -> list[tuple[BoundInput, str | None]]:
    """The job's inputs, each with the first folder of what it has done of the version; None: no row says done."""
    rows = connection.execute(
        f"""
        SELECT {_BOUND}, CASE WHEN t.status IS NOT NULL THEN coalesce(t.artifact_root, {_ROOT}) END
        FROM job_inputs i LEFT JOIN jobs j ON j.id = i.input_job_id
        LEFT JOIN task_executions t ON t.status = 'done'
            AND (t.job_id, t.volume_id, t.s3_etag) = (i.input_job_id, %s, %s::bytea)
        WHERE i.job_id = %s ORDER BY i.name
        """.encode(),
        (volume_id, etag, job_id),
    )
    return [(_bound(row), row[6]) for row in rows]


def remember_checksums(
    connection: Connection, job_id: int, volume_id: int, etag: bytes, checksums: Mapping[str, str]
) -> None:
    """Keep the SHA-256 of artifacts that no marker lists, as somebody read them."""
    connection.execute(
        "UPDATE task_executions SET artifacts = %s::jsonb || coalesce(artifacts, '{}')"
        " WHERE (job_id, volume_id, s3_etag) = (%s, %s, %s::bytea) AND status = 'done'",
        (Jsonb(dict(checksums)), job_id, volume_id, etag),
    )
