"""What is known of a task: its claim, how it stands, how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from bec_core.models import TaskStatus

NO_VERSION = bytes(16)
"""The etag of a task whose volume has no version: its manifest is missing or unreadable."""

LOST_LIMIT = 10
"""So often may a task's lease run out, without its attempts getting any further, before it is given up."""

HANDED_BACK = (
    "(t.status = 'retryable_failed' AND (t.handed_back AND t.error_type IS NULL"
    " OR t.error_type IS NOT DISTINCT FROM 'ShutdownRequested'))"
)
"""SQL's condition on a task ``t``: it was told to stop, and nothing failed. Older workers named an error for it."""


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
    """Why a claim was refused: the task's status, for how long to leave it alone (seconds), why it failed.

    ``worker_id`` is the worker that has it, if one does.
    """

    status: TaskStatus
    wait_s: float
    failure: Failure | None = None
    worker_id: int | None = None


@frozen
class Standing:
    """How a volume's version stands with a job, before it is claimed.

    ``answers`` is the request that the row's last claim answers, ``asked`` the one that a marker must answer.
    """

    volume_id: int
    status: TaskStatus | None
    answers: int
    asked: int


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


@frozen
class Faults:
    """How often a volume met a fault that is not its own, and whether others of the job were done since the first."""

    count: int
    others_succeed: bool
