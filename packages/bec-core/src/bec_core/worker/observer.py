"""What others in the process may watch of a worker: progress bars, transcripts, tests. None of them can fail a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from loguru import logger

from bec_core.models import Volume


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


class WorkerObserver:
    """Override what you want to watch; called from the worker's threads, so be quick and thread-safe.

    What an observer raises is logged once and goes no further.
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

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """An attempt ended; ``outcome`` is the name of a class of :mod:`bec_core.worker.ending`.

        ``done``, ``already-done``, ``retryable_failed``, ``terminal_failed``, ``handed-back``, ``left``, ``fault``.
        """


class Watchers(WorkerObserver):
    """Passes everything on to each of a list of observers, and keeps their troubles away from the work."""

    def __init__(self, observers: Sequence[WorkerObserver] = ()) -> None:
        self._observers = tuple(observers)
        self._complained: set[int] = set()

    def step(self, step: Step) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.step(step))

    def message_taken(self, message_id: str, volume: Volume) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.message_taken(message_id, volume))

    def task_started(self, volume: Volume, attempt: int) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.task_started(volume, attempt))

    def task_resumed(self, volume: Volume, pages: int) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.task_resumed(volume, pages))

    def page_done(self, volume: Volume, done: int, total: int) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.page_done(volume, done, total))

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.task_finished(volume, outcome, message))

    def _tell(self, call: Callable[[WorkerObserver], None]) -> None:
        for observer in self._observers:
            try:
                call(observer)
            except Exception as error:  # noqa: BLE001 - whoever only watches must not fail what it watches
                if id(observer) not in self._complained:
                    self._complained.add(id(observer))
                    logger.opt(exception=error).warning(
                        "{} failed while watching; the work goes on without it: {}",
                        type(observer).__name__,
                        error,
                    )
