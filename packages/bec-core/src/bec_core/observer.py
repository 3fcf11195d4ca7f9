"""Watching workers: the events that there are, and how a plugin declares an observer of them.

Metrics, transcripts and notices are observers. None of them can fail a task or keep one waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from bec_core.models import Volume

OUTCOMES = (
    "done", "already-done", "retryable_failed", "terminal_failed", "handed-back", "left", "blocked", "fault",
)  # fmt: skip
"""How an attempt at a volume can end: done, done before, to be tried again, given up, given back because the worker
stops or a service is in trouble, somebody else's, waiting for an input, and a fault of BEC's own."""


class Step(StrEnum):
    """The steps of one attempt, in order; each is announced after it was taken.

    An attempt that fails takes ``FAILURE_WRITTEN`` and ``DEAD_LETTERED`` instead of those that publish, one whose
    inputs are not done only ``BLOCKED_WRITTEN``. ``RELEASED``: messages of the jobs that read this one were sent.
    ``PART_WRITTEN``: finished pages were kept, as often as a part is written; ``PARTS_REMOVED``: its task has ended.
    """

    RECEIVED = "received"
    RESOLVED = "resolved"
    CLAIMED = "claimed"
    PART_WRITTEN = "part-written"
    WORKED = "worked"
    ARTIFACT_WRITTEN = "artifact-written"
    ARTIFACTS_WRITTEN = "artifacts-written"
    MARKER_WRITTEN = "marker-written"
    ROW_WRITTEN = "row-written"
    RELEASED = "released"
    PARTS_REMOVED = "parts-removed"
    MESSAGE_DELETED = "message-deleted"
    FAILURE_WRITTEN = "failure-written"
    DEAD_LETTERED = "dead-lettered"
    BLOCKED_WRITTEN = "blocked-written"


@frozen
class TaskFigures:
    """What an attempt came to: its pages and how many failed, by the step that failed them too; its wall clock, and the
    page time by stage (all threads added up), both in milliseconds."""

    pages: int
    pages_failed: int
    wall_clock_ms: float
    stage_ms: Mapping[str, float] = field(factory=dict)
    errors_by_stage: Mapping[str, int] = field(factory=dict)


class WorkerObserver:
    """Override what you want to watch. What an observer raises is logged once and goes no further.

    One that a plugin brings is called from a thread of its own, and can keep nothing waiting; one that is given to a
    worker in the program is called from the worker's threads, so it must be quick and thread-safe.
    """

    def step(self, step: Step) -> None:
        """An attempt took a step."""

    def message_taken(self, message_id: str, volume: Volume) -> None:
        """A message was received that asks for this volume; comes before anything else about the volume."""

    def task_started(self, volume: Volume, attempt: int) -> None:
        """A task was claimed and its job starts."""

    def task_resumed(self, volume: Volume, pages: int) -> None:
        """A task goes on where an earlier attempt stopped: so many pages are finished already."""

    def page_done(self, volume: Volume, done: int, total: int) -> None:
        """A page was finished, well or badly."""

    def task_measured(self, volume: Volume, figures: TaskFigures) -> None:
        """An attempt that ran has ended with these figures; comes before ``task_finished``."""

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """An attempt ended; ``outcome`` is one of :data:`OUTCOMES`, ``message`` says why, if it is not done."""

    def close(self) -> None:
        """The worker ends: say what is left to be said, within a second."""


@frozen
class ObserverSetup:
    """What an observer is opened with: whose worker it watches, and its own settings.

    Attributes:
        job: the job's name.
        job_type: its job type.
        worker: how the worker is listed.
        settings: its own settings, structured as its ``settings`` class; None without one.
    """

    job: str
    job_type: str
    worker: str
    settings: Any = None


@frozen
class ObserverType:
    """An observer, as a plugin declares it; every worker of this installation is watched by it.

    Attributes:
        name: a word of small letters, digits and ``_``.
        opener: import path ``package.module:factory`` of what makes a :class:`WorkerObserver` of an
            :class:`ObserverSetup`, or gives None where its settings ask for nothing; imported and called in the
            observer's own thread.
        summary: one line for listings.
        settings: an attrs class of what the environment may say to it, as ``BEC_{NAME}_{FIELD}``; or None.
    """

    name: str
    opener: str
    summary: str
    settings: type[Any] | None = field(kw_only=True, default=None)

    def variable(self, name: str) -> str:
        """The environment's variable of the field ``name`` of ``settings``."""
        return f"BEC_{self.name}_{name}".upper()
