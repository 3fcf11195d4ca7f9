"""What others in the process may watch of a worker: progress bars, tests."""

from __future__ import annotations

from enum import StrEnum

from bec_core.models import Volume


class Step(StrEnum):
    """The steps of one task's life, in order; each is announced after it was taken.

    A task that fails takes the last two instead of those that publish.
    """

    RECEIVED = "received"
    RESOLVED = "resolved"
    CLAIMED = "claimed"
    WORKED = "worked"
    ARTIFACT_WRITTEN = "artifact-written"
    ARTIFACTS_WRITTEN = "artifacts-written"
    MARKER_WRITTEN = "marker-written"
    ROW_WRITTEN = "row-written"
    MESSAGE_DELETED = "message-deleted"
    FAILURE_WRITTEN = "failure-written"
    DEAD_LETTERED = "dead-lettered"


class WorkerObserver:
    """Override what you want to watch; called from the worker's threads, so be quick and thread-safe."""

    def step(self, step: Step) -> None:
        """A task took a step."""

    def message_taken(self, message_id: str, volume: Volume) -> None:
        """A message was received that asks for this volume; comes before anything else about the volume."""

    def task_started(self, volume: Volume, attempt: int) -> None:
        """A task was claimed and its job starts."""

    def page_done(self, volume: Volume, done: int, total: int) -> None:
        """A page was finished, well or badly."""

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """A task ended: ``done``, ``already-done``, ``retryable_failed``, ``terminal_failed`` or ``stopped``."""
