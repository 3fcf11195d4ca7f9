"""SQL over ``task_executions``: claims, leases, outcomes.

A claim is one statement. Whatever a worker writes afterwards says the epoch that it claimed, so that a
worker whose lease was taken over changes nothing. All times are the server's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from attrs import frozen
from psycopg.types.json import Jsonb

from bec_core.errors import JobGone
from bec_core.models import TaskStatus

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

NO_VERSION = bytes(16)
"""The etag of a task whose volume has no version: its manifest is missing or unreadable."""


HANDED_BACK = (
    "(t.status = 'retryable_failed' AND (t.handed_back AND t.error_type IS NULL"
    " OR t.error_type IS NOT DISTINCT FROM 'ShutdownRequested'))"
)
"""SQL's condition on a task ``t``: it was told to stop, and nothing failed. Older workers named an error for it."""

LOST_LIMIT = 10
"""So often may a task's lease run out, without its attempts getting any further, before it is given up."""


@frozen
class Claim:
    """The right to work on a task: its row, the fencing epoch, which attempt it is.

    Attributes:
        failures: so far; they count towards ``max_attempts``.
        lost: leases that ran out, without getting further than the attempts before.
        request: the ledger's number that a marker must answer.
        config_revision: the config that the request asks for; None: any.
        alone: a process died with this and other tasks in hand: it is to be tried by itself.
    """

    task_id: int
    epoch: int
    attempt: int
    failures: int
    lost: int = 0
    request: int = 0
    config_revision: int | None = None
    alone: bool = False


@frozen
class Delivery:
    """The message by which a task was claimed, as its queue knows it."""

    message_id: str
    receipt: str


@frozen
class Failure:
    """Why a task failed, as its row keeps it."""

    stage: str
    error_type: str
    message: str
    fingerprint: str
    traceback: str | None = None

    @property
    def reason(self) -> str:
        """Type and message, for a line."""
        return f"{self.error_type}: {self.message}"


@frozen
class NotClaimed:
    """Why a claim was refused: the task's status, for how long to leave it alone (seconds), why it failed."""

    status: TaskStatus
    wait_s: float
    failure: Failure | None = None


@frozen
class Outcome:
    """A finished task's figures (durations in milliseconds)."""

    total_images: int
    nb_errors: int
    total_duration_ms: float
    avg_duration_per_page_ms: float
    wall_clock_duration_ms: float
    stage_ms: Mapping[str, float] | None = None
    errors_by_stage: Mapping[str, int] | None = None
    metrics: Mapping[str, float] | None = None


@frozen
class Contents:
    """What a finished task published (SHA-256 by name) and what it read of its inputs; None: unknown."""

    artifacts: Mapping[str, str] | None = None
    lineage: Sequence[Mapping[str, str]] | None = None


_UNKNOWN = Contents()


def claim(
    connection: Connection,
    *,
    job_id: int,
    volume_id: int,
    etag: bytes,
    version: str | None,
    worker_id: int | None,
    lease_s: float,
    config_revision: int,
    plugin_version: str,
    artifact_root: str | None = None,
    delivery: Delivery | None = None,
    asked_at: datetime | None = None,
    even_if_done: bool = False,
) -> Claim | NotClaimed:
    """Take the task: insert its row, or take it over when it is not done and nobody holds its lease.

    A row that says done is taken if the ledger's request is a later one than it answers, or with
    ``even_if_done`` (no marker stands for it, or none that counts).

    A task that had failed for good is taken, with nothing counted, if somebody asked for it since:
    its message was sent after the failure (``asked_at``; None: nobody knows when), or it was set free
    (no failures are counted against it). Otherwise the message is a duplicate, or its worker died before
    it could set it aside; the answer says why the task failed.

    A lease that ran out is counted in ``lost``, unless that attempt got further than all before it.

    A claim's commit is waited for: were it lost in a crash of the server, two workers could get one epoch.

    Raises:
        JobGone: the job was deleted.
    """
    values = {
        "job_id": job_id,
        "volume_id": volume_id,
        "etag": etag,
        "version": version,
        "worker_id": worker_id,
        "lease_s": lease_s,
        "config_revision": config_revision,
        "plugin_version": plugin_version,
        "artifact_root": artifact_root,
        "message_id": delivery.message_id if delivery else None,
        "receipt": delivery.receipt if delivery else None,
        "asked_at": asked_at,
        "even_if_done": even_if_done,
    }
    try:
        row = connection.execute(_CLAIM, values).fetchone()
    except psycopg.errors.ForeignKeyViolation as error:
        raise JobGone(f"job {job_id} was deleted") from error
    if row is not None:
        return Claim(*row)
    row = connection.execute(
        """
        SELECT status, extract(epoch FROM greatest(lease_expires_at, retry_at) - clock_timestamp())::float8,
               error_stage, error_type, error_message, error_fingerprint
        FROM task_executions WHERE (job_id, volume_id, s3_etag) = (%s, %s, %s::bytea)
        """,
        (job_id, volume_id, etag),
    ).fetchone()
    if row is None:  # deleted in between: whoever deletes a job's tasks doesn't want this one either
        return NotClaimed(TaskStatus.RETRYABLE_FAILED, 0.0)
    status = TaskStatus(row[0])
    failure = None
    if status is TaskStatus.TERMINAL_FAILED:
        failure = Failure(*(text or "unknown" for text in row[2:]))
    return NotClaimed(status, max(0.0, row[1] or 0.0), failure)


_CLAIM = """
    WITH asked AS (
        SELECT coalesce(max(l.request), 0) AS request, max(l.config_revision) AS revision
        FROM ledger l WHERE (l.job_id, l.volume_id) = (%(job_id)s, %(volume_id)s)
    )
    INSERT INTO task_executions AS t (
        job_id, volume_id, s3_etag, version, status, attempt, worker_id, started_at, epoch, lease_expires_at,
        config_revision, plugin_version, artifact_root, message_id, receipt, request
    )
    SELECT %(job_id)s, %(volume_id)s, %(etag)s, %(version)s, 'running', 1, %(worker_id)s, clock_timestamp(), 1,
           clock_timestamp() + make_interval(secs => %(lease_s)s),
           %(config_revision)s, %(plugin_version)s, %(artifact_root)s, %(message_id)s, %(receipt)s, asked.request
    FROM asked
    ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET
        status = 'running',
        attempt = t.attempt + 1,
        failures = CASE WHEN t.status IN ('terminal_failed', 'done') THEN 0 ELSE t.failures END,
        lost = CASE WHEN t.status IN ('terminal_failed', 'done') THEN 0
                    WHEN t.status = 'running' AND t.pages_done <= t.furthest THEN t.lost + 1
                    ELSE t.lost END,
        furthest = CASE WHEN t.status IN ('terminal_failed', 'done') THEN 0
                        ELSE greatest(t.furthest, t.pages_done) END,
        runtime_faults = CASE WHEN t.status IN ('terminal_failed', 'done') THEN 0 ELSE t.runtime_faults END,
        pages_done = 0,
        pages_resumed = 0,
        handed_back = false,
        worker_id = excluded.worker_id,
        started_at = clock_timestamp(),
        done_at = NULL,
        retry_at = NULL,
        version = excluded.version,
        epoch = t.epoch + 1,
        lease_expires_at = excluded.lease_expires_at,
        config_revision = excluded.config_revision,
        plugin_version = excluded.plugin_version,
        artifact_root = excluded.artifact_root,
        message_id = excluded.message_id,
        receipt = excluded.receipt,
        request = excluded.request
    WHERE (t.status <> 'done' OR %(even_if_done)s OR t.request < excluded.request)
      AND (t.lease_expires_at IS NULL OR t.lease_expires_at <= clock_timestamp())
      AND (t.retry_at IS NULL OR t.retry_at <= clock_timestamp())
      AND (t.status <> 'terminal_failed' OR t.failures = 0 OR t.done_at IS NULL
           OR coalesce(%(asked_at)s::timestamptz > t.done_at, true))
    RETURNING id, epoch, attempt, failures, lost, request, (SELECT revision FROM asked), alone
"""


@frozen
class Standing:
    """How a volume's version stands with a job, before it is claimed.

    ``answers`` is the request that the row's last claim answers, ``asked`` the one that a marker must answer.
    """

    volume_id: int
    status: TaskStatus | None
    answers: int
    asked: int


def standing(connection: Connection, *, job_id: int, volume_id: int, etag: bytes) -> Standing:
    """How the version stands."""
    row = connection.execute(
        """
        SELECT t.status, coalesce(t.request, 0), coalesce(l.request, 0)
        FROM (VALUES (%s::int, %s::int)) AS one (job_id, volume_id)
        LEFT JOIN ledger l USING (job_id, volume_id)
        LEFT JOIN task_executions t
            ON (t.job_id, t.volume_id, t.s3_etag) = (one.job_id, one.volume_id, %s::bytea)
        """,
        (job_id, volume_id, etag),
    ).fetchone()
    assert row is not None
    return Standing(volume_id, TaskStatus(row[0]) if row[0] else None, row[1], row[2])


def renew(connection: Connection, claimed: Claim, lease_s: float, *, pages_done: int = 0) -> bool:
    """Extend the lease from now on, and say how far the attempt is. False: the task is not ours any more.

    Not waited for on disk: were it lost in a crash of the server, the lease would only end earlier.
    """
    connection.execute("SET LOCAL synchronous_commit TO off")
    cursor = connection.execute(
        "UPDATE task_executions SET pages_done = %s,"
        " lease_expires_at = clock_timestamp() + make_interval(secs => %s)"
        " WHERE id = %s AND epoch = %s AND status = 'running'",
        (pages_done, lease_s, claimed.task_id, claimed.epoch),
    )
    return cursor.rowcount == 1


def note_resumed(connection: Connection, claimed: Claim, pages: int) -> None:
    """Say that the attempt goes on with so many pages that earlier ones finished."""
    connection.execute(
        "UPDATE task_executions SET pages_resumed = %(pages)s, pages_done = greatest(pages_done, %(pages)s)"
        " WHERE id = %(id)s AND epoch = %(epoch)s AND status = 'running'",
        {"pages": pages, "id": claimed.task_id, "epoch": claimed.epoch},
    )


def why_not_ours(connection: Connection, claimed: Claim) -> str:
    """In words, what became of a task that is not ours any more."""
    row = connection.execute(
        "SELECT status, epoch, worker_id FROM task_executions WHERE id = %s", (claimed.task_id,)
    ).fetchone()
    if row is None:
        return "its row was deleted"
    status, epoch, worker_id = row
    if epoch == claimed.epoch:
        return f"its row says {status}"
    if status == "running":
        return f"worker {worker_id} took it over"
    return f"somebody else ended it: its row says {status}"


def forget(connection: Connection, claimed: Claim) -> None:
    """Take back a claim that turned out to have been needless: the row goes, and with it what it counted."""
    connection.execute(
        "DELETE FROM task_executions WHERE id = %s AND epoch = %s AND status = 'running'",
        (claimed.task_id, claimed.epoch),
    )


def is_ours(connection: Connection, claimed: Claim) -> bool:
    """Whether nobody has taken the task over. Writes nothing, so it is cheap; the lease is not extended."""
    row = connection.execute(
        "SELECT 1 FROM task_executions WHERE id = %s AND epoch = %s AND status = 'running'",
        (claimed.task_id, claimed.epoch),
    ).fetchone()
    return row is not None


def finish(
    connection: Connection,
    claimed: Claim,
    outcome: Outcome,
    *,
    recipe: str | None = None,
    contents: Contents = _UNKNOWN,
) -> int | None:
    """Record that the task is done, and so its ledger entry, unless that has been asked for again since.

    Returns:
        The volume's id; None: the epoch is not ours any more.
    """
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
    set_ledger(connection, job_id, volume_id, "done", answered=request)
    return row is not None


_FAILED = """
    done_at = clock_timestamp(), lease_expires_at = NULL,
    error_stage = %(stage)s, error_type = %(error_type)s, error_message = %(message)s,
    error_traceback = %(traceback)s, error_fingerprint = %(fingerprint)s
"""


def _failure_values(failure: Failure) -> dict[str, Any]:
    return {
        "stage": failure.stage,
        "error_type": failure.error_type,
        "message": failure.message,
        "traceback": failure.traceback,
        "fingerprint": failure.fingerprint,
    }


def fail(
    connection: Connection,
    claimed: Claim,
    failure: Failure,
    *,
    terminal: bool,
    counts: bool = True,
    retry_s: float = 0.0,
    outcome: Outcome | None = None,
    page_errors: Sequence[Mapping[str, Any]] = (),
) -> bool:
    """Record a failure and give the lease back. False: the epoch is not ours any more.

    ``counts`` says whether it is the task's own failure (trouble outside is not); ``retry_s`` is the back-off.
    A terminal failure fails the ledger entry too, unless the volume has been asked for again since.
    """
    row = connection.execute(
        f"""
        UPDATE task_executions SET {_FAILED}, status = %(status)s, failures = failures + %(counted)s,
            retry_at = CASE WHEN %(retry_s)s > 0
                THEN clock_timestamp() + make_interval(secs => %(retry_s)s) END,
            total_images = coalesce(%(total_images)s, total_images), nb_errors = coalesce(%(nb_errors)s, nb_errors),
            total_duration_ms = coalesce(%(duration)s, total_duration_ms),
            wall_clock_duration_ms = coalesce(%(wall_clock)s, wall_clock_duration_ms),
            errors_by_stage = coalesce(%(errors_by_stage)s, errors_by_stage),
            page_errors = %(page_errors)s,
            furthest = greatest(furthest, pages_done), pages_done = 0
        WHERE id = %(task_id)s AND epoch = %(epoch)s AND status = 'running'
        RETURNING job_id, volume_id, request
        """,
        {
            **_failure_values(failure),
            "status": "terminal_failed" if terminal else "retryable_failed",
            "counted": int(counts),
            "retry_s": 0.0 if terminal else retry_s,
            "total_images": outcome.total_images if outcome else None,
            "nb_errors": outcome.nb_errors if outcome else None,
            # a failed job that said nothing of its time: unknown, not none
            "duration": (outcome.total_duration_ms or None) if outcome else None,
            "wall_clock": outcome.wall_clock_duration_ms if outcome else None,
            "errors_by_stage": Jsonb(dict(outcome.errors_by_stage))
            if outcome and outcome.errors_by_stage
            else None,
            "page_errors": Jsonb([dict(one) for one in page_errors]) if page_errors else None,
            "task_id": claimed.task_id,
            "epoch": claimed.epoch,
        },
    ).fetchone()
    if row is None:
        return False
    if terminal:
        set_ledger(connection, row[0], row[1], "failed", failure.reason, answered=row[2])
    return True


def fail_unclaimed(
    connection: Connection,
    *,
    job_id: int,
    volume_id: int,
    worker_id: int,
    failure: Failure,
    config_revision: int,
) -> None:
    """Record a terminal failure of a volume that has no version to claim (its manifest is missing).

    The ledger's entry fails only if it waits: what was done at an earlier version stays done.
    """
    _unresolved_row(connection, job_id, volume_id, worker_id, config_revision)
    connection.execute(
        f"UPDATE task_executions SET {_FAILED}, status = 'terminal_failed', failures = failures + 1"
        " WHERE (job_id, volume_id, s3_etag) = (%(job_id)s, %(volume_id)s, %(etag)s::bytea)",
        {**_failure_values(failure), "job_id": job_id, "volume_id": volume_id, "etag": NO_VERSION},
    )
    fail_waiting(connection, job_id, volume_id, failure)


def _unresolved_row(
    connection: Connection, job_id: int, volume_id: int, worker_id: int, config_revision: int
) -> None:
    """The row of a volume without a version; there is one from its first trouble on."""
    try:
        connection.execute(
            """
            INSERT INTO task_executions AS t
                (job_id, volume_id, s3_etag, status, worker_id, started_at, config_revision)
            VALUES (%(job_id)s, %(volume_id)s, %(etag)s, 'retryable_failed', %(worker_id)s, clock_timestamp(),
                    %(revision)s)
            ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET
                attempt = t.attempt + 1, worker_id = excluded.worker_id, started_at = excluded.started_at
            """,
            {
                "job_id": job_id,
                "volume_id": volume_id,
                "etag": NO_VERSION,
                "worker_id": worker_id,
                "revision": config_revision,
            },
        )
    except psycopg.errors.ForeignKeyViolation as error:
        raise JobGone(f"job {job_id} was deleted") from error


def hand_back(connection: Connection, claimed: Claim) -> bool:
    """Give the lease back of a task that was told to stop: nothing failed, and its row says so. False: not ours.

    Such a row says ``retryable_failed``, and :data:`HANDED_BACK` tells it from failures.
    """
    cursor = connection.execute(
        """
        UPDATE task_executions SET status = 'retryable_failed', handed_back = true, lease_expires_at = NULL,
            retry_at = NULL, error_stage = NULL, error_type = NULL, error_message = NULL, error_traceback = NULL,
            error_fingerprint = NULL, page_errors = NULL, furthest = greatest(furthest, pages_done), pages_done = 0
        WHERE id = %s AND epoch = %s AND status = 'running'
        """,
        (claimed.task_id, claimed.epoch),
    )
    return cursor.rowcount == 1


@frozen
class Faults:
    """How often a volume met a fault that is not its own, and whether others of the job were done since the first."""

    count: int
    others_succeed: bool


def note_fault(
    connection: Connection,
    *,
    job_id: int,
    volume_id: int,
    etag: bytes | None,
    worker_id: int,
    failure: Failure,
    config_revision: int,
    wait_s: float,
) -> Faults:
    """Count a fault of ours (or of the surroundings) that a volume met, in the row of its version.

    ``etag`` None: it was met before the version was known. A row that somebody holds is not touched but for the count.
    """
    if etag is None:
        _unresolved_row(connection, job_id, volume_id, worker_id, config_revision)
    row = connection.execute(
        """
        UPDATE task_executions t SET runtime_faults = runtime_faults + 1,
            first_fault_at = CASE WHEN runtime_faults = 0 THEN clock_timestamp() ELSE first_fault_at END,
            error_stage = CASE WHEN status = 'retryable_failed' THEN %(stage)s ELSE error_stage END,
            error_type = CASE WHEN status = 'retryable_failed' THEN %(error_type)s ELSE error_type END,
            error_message = CASE WHEN status = 'retryable_failed' THEN %(message)s ELSE error_message END,
            error_traceback = CASE WHEN status = 'retryable_failed' THEN %(traceback)s ELSE error_traceback END,
            error_fingerprint = CASE WHEN status = 'retryable_failed' THEN %(fingerprint)s ELSE error_fingerprint END,
            retry_at = CASE WHEN status = 'retryable_failed'
                THEN clock_timestamp() + make_interval(secs => %(wait_s)s) ELSE retry_at END
        WHERE (job_id, volume_id, s3_etag) = (%(job_id)s, %(volume_id)s, %(etag)s::bytea) AND status <> 'done'
        RETURNING runtime_faults, EXISTS (
            SELECT FROM task_executions other
            WHERE other.job_id = t.job_id AND other.status = 'done' AND other.done_at > t.first_fault_at
        )
        """,
        {
            **_failure_values(failure),
            "job_id": job_id,
            "volume_id": volume_id,
            "etag": NO_VERSION if etag is None else etag,
            "wait_s": wait_s,
        },
    ).fetchone()
    return Faults(0, False) if row is None else Faults(row[0], row[1])


def set_aside(
    connection: Connection, *, job_id: int, volume_id: int, etag: bytes | None, failure: Failure
) -> None:
    """Give up a volume that alone meets a fault of ours again and again; the ledger says so."""
    connection.execute(
        f"UPDATE task_executions SET {_FAILED}, status = 'terminal_failed', failures = greatest(failures, 1)"
        " WHERE (job_id, volume_id, s3_etag) = (%(job_id)s, %(volume_id)s, %(etag)s::bytea)"
        "   AND status = 'retryable_failed'",
        {
            **_failure_values(failure),
            "job_id": job_id,
            "volume_id": volume_id,
            "etag": NO_VERSION if etag is None else etag,
        },
    )
    fail_waiting(connection, job_id, volume_id, failure)


def fail_waiting(connection: Connection, job_id: int, volume_id: int, failure: Failure) -> None:
    """Say in the ledger that a volume failed which no task of a version stands for, if it still waits."""
    connection.execute(
        "UPDATE ledger SET state = 'failed', reason = %s, changed_at = clock_timestamp()"
        " WHERE (job_id, volume_id) = (%s, %s) AND state = 'waiting'",
        (failure.reason, job_id, volume_id),
    )


def set_ledger(
    connection: Connection,
    job_id: int,
    volume_id: int,
    state: str,
    reason: str | None = None,
    *,
    answered: int,
) -> None:
    """Say what became of a volume that the job was asked to do (nothing, if it never was).

    An entry that was asked for again since (its request is later than ``answered``) goes on waiting.
    """
    connection.execute(
        "UPDATE ledger SET state = %s, reason = %s, changed_at = clock_timestamp()"
        " WHERE (job_id, volume_id) = (%s, %s) AND request <= %s",
        (state, reason, job_id, volume_id, answered),
    )


def ledger_follows(connection: Connection, job_id: int, volume_id: int) -> None:
    """Let the ledger say done where a row does that answers its latest request."""
    connection.execute(
        "UPDATE ledger l SET state = 'done', reason = NULL, changed_at = clock_timestamp()"
        " WHERE (job_id, volume_id) = (%s, %s) AND EXISTS ("
        "   SELECT FROM task_executions t WHERE (t.job_id, t.volume_id) = (l.job_id, l.volume_id)"
        "   AND t.status = 'done' AND t.request >= l.request)",
        (job_id, volume_id),
    )
