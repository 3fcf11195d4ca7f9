"""Saying that a task is done, with its figures and what it published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from bec_core.db import ledger
from bec_core.db.tasks.values import NO_VERSION, Claim, Contents, Outcome

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

_UNKNOWN = Contents()


def finish(
    connection: Connection,
    claimed: Claim,
    outcome: Outcome,
    *,
    recipe: str | None = None,
    contents: Contents = _UNKNOWN,
    wait: bool = True,
) -> int | None:
    """Record that the task is done, and so its ledger entry, unless that has been asked for again since.

    Args:
        connection: one of a worker's.
        claimed: the claim.
        outcome: the figures.
        recipe: by what it was done.
        contents: what was published, and what was read.
        wait: whether the commit is waited for on disk. It need not be if the message lies in this database: a crash
            of the server that loses the row loses the message's deletion too, and its next delivery finds the marker.

    Returns:
        The volume's id; None: the epoch is not ours any more.
    """
    if not wait:
        connection.execute("SET LOCAL synchronous_commit TO off")
    row = connection.execute(
        f"""
        WITH finished AS (
            UPDATE task_executions SET {_DONE}, recipe = %(recipe)s
            WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'
            RETURNING job_id, volume_id, request
        ), said AS (
            UPDATE ledger l SET state = 'done', reason = NULL, changed_at = clock_timestamp()
            FROM finished f WHERE (l.job_id, l.volume_id) = (f.job_id, f.volume_id) AND l.request <= f.request
        ), unresolved AS (
            DELETE FROM task_executions t USING finished f
            WHERE (t.job_id, t.volume_id, t.s3_etag) = (f.job_id, f.volume_id, %(no_version)s::bytea)
              AND t.status = 'retryable_failed'
        )
        SELECT volume_id FROM finished
        """,
        {
            **_outcome_values(outcome),
            **_contents_values(contents),
            "recipe": recipe,
            "task_id": claimed.task_id,
            "epoch": claimed.epoch,
            "no_version": NO_VERSION,
        },
    ).fetchone()
    return row[0] if row is not None else None


_DONE = """
    status = 'done', done_at = clock_timestamp(), lease_expires_at = NULL, retry_at = NULL,
    total_images = %(total_images)s, nb_errors = %(nb_errors)s,
    total_duration_ms = %(total_duration_ms)s, avg_duration_per_page_ms = %(avg_duration_per_page_ms)s,
    wall_clock_duration_ms = %(wall_clock_duration_ms)s,
    stage_ms = %(stage_ms)s, errors_by_stage = %(errors_by_stage)s, metrics = %(metrics)s,
    error_stage = NULL, error_type = NULL, error_message = NULL, error_traceback = NULL, error_fingerprint = NULL,
    page_errors = NULL, collected_at = NULL, alone = false, runtime_faults = 0, first_fault_at = NULL, lost = 0,
    artifacts = %(artifacts)s, lineage = %(lineage)s
"""


def _contents_values(contents: Contents) -> dict[str, Any]:
    known, read = contents.artifacts, contents.lineage
    return {
        "artifacts": None if known is None else Jsonb(dict(known)),
        "lineage": None if read is None else Jsonb([dict(one) for one in read]),
    }


def _outcome_values(outcome: Outcome) -> dict[str, Any]:
    return {
        "total_images": outcome.total_images,
        "nb_errors": outcome.nb_errors,
        "total_duration_ms": outcome.total_duration_ms,
        "avg_duration_per_page_ms": outcome.avg_duration_per_page_ms,
        "wall_clock_duration_ms": outcome.wall_clock_duration_ms,
        "stage_ms": Jsonb(dict(outcome.stage_ms)) if outcome.stage_ms is not None else None,
        "errors_by_stage": Jsonb(dict(outcome.errors_by_stage))
        if outcome.errors_by_stage is not None
        else None,
        "metrics": Jsonb(dict(outcome.metrics)) if outcome.metrics else None,
    }


def repair_done(
    connection: Connection,
    *,
    job_id: int,
    volume_id: int,
    etag: bytes,
    version: str,
    outcome: Outcome,
    request: int = 0,
    recipe: str | None = None,
    artifact_root: str | None = None,
    contents: Contents = _UNKNOWN,
) -> bool:
    """Make the row say what the marker says: done. True if it did not before.

    The epoch rises, so that a worker that still holds the task loses it. The ledger follows if the marker answers
    its latest request.
    """
    row = connection.execute(
        """
        INSERT INTO task_executions AS t (job_id, volume_id, s3_etag, version, status, attempt)
        VALUES (%(job_id)s, %(volume_id)s, %(etag)s, %(version)s, 'running', 0)
        ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET epoch = t.epoch + 1, version = excluded.version
        WHERE t.status <> 'done' OR t.request < %(request)s
        RETURNING id
        """,
        {"job_id": job_id, "volume_id": volume_id, "etag": etag, "version": version, "request": request},
    ).fetchone()
    if row is not None:
        connection.execute(
            f"UPDATE task_executions SET {_DONE}, request = %(request)s, recipe = %(recipe)s,"
            " artifact_root = coalesce(%(root)s, artifact_root) WHERE id = %(id)s",
            {
                **_outcome_values(outcome),
                **_contents_values(contents),
                "request": request,
                "recipe": recipe,
                "root": artifact_root,
                "id": row[0],
            },
        )
    ledger.set_state(connection, job_id, volume_id, "done", answered=request)
    return row is not None
