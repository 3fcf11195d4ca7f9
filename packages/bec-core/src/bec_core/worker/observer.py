"""Telling those who watch a worker: progress bars, transcripts, metrics, tests. None of them can fail a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loguru import logger

from bec_core.models import Volume
from bec_core.observer import Step, TaskFigures, WorkerObserver


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

    def task_measured(self, volume: Volume, figures: TaskFigures) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.task_measured(volume, figures))

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
