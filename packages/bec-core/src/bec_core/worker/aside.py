"""Observers that plugins bring, each in a thread of its own: nothing of the worker's waits for one or fails by one."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from loguru import logger

from bec_core.models import Job, Volume
from bec_core.observer import ObserverSetup, ObserverType, Step, TaskFigures, WorkerObserver
from bec_core.plugins import load_object
from bec_core.settings import plugin_settings

_MOST = 10_000  # events that wait; what comes while so many wait is dropped
_CLOSE_S = 2.0  # for so long last words are waited for when the worker ends, of all of them together

Event = Callable[[WorkerObserver], None]


class Aside(WorkerObserver):
    """Passes events on to an observer that is opened, called and closed in its own thread.

    Args:
        name: whose it is, for the log.
        opener: makes the observer; None: there is nothing to watch.
    """

    def __init__(self, name: str, opener: Callable[[], WorkerObserver | None]) -> None:
        self._name = name
        self._opener = opener
        self._events: queue.Queue[Event | None] = queue.Queue(_MOST)
        self._over = False
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name=f"bec-observer-{name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let it say its last words; it is left behind if they take too long."""
        self.tell_end()
        self.wait_for_end(_CLOSE_S)

    def tell_end(self) -> None:
        """Nothing more comes."""
        self._put(None)

    def wait_for_end(self, timeout_s: float) -> None:
        """Wait for its last words, and no longer than this."""
        self._thread.join(max(0.0, timeout_s))
        self._over = True
        if self._dropped:
            logger.warning(
                "the observer {} was too slow: {} events were kept from it", self._name, self._dropped
            )

    def step(self, step: Step) -> None:
        """Pass it on."""
        self._put(lambda observer: observer.step(step))

    def message_taken(self, message_id: str, volume: Volume) -> None:
        """Pass it on."""
        self._put(lambda observer: observer.message_taken(message_id, volume))

    def task_started(self, volume: Volume, attempt: int) -> None:
        """Pass it on."""
        self._put(lambda observer: observer.task_started(volume, attempt))

    def task_resumed(self, volume: Volume, pages: int) -> None:
        """Pass it on."""
        self._put(lambda observer: observer.task_resumed(volume, pages))

    def page_done(self, volume: Volume, done: int, total: int) -> None:
        """Pass it on."""
        self._put(lambda observer: observer.page_done(volume, done, total))

    def task_measured(self, volume: Volume, figures: TaskFigures) -> None:
        """Pass it on."""
        self._put(lambda observer: observer.task_measured(volume, figures))

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """Pass it on."""
        self._put(lambda observer: observer.task_finished(volume, outcome, message))

    def _put(self, event: Event | None) -> None:
        if self._over:
            return
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self._dropped += 1

    def _run(self) -> None:
        """The thread; it ends with the observer's first failure to open, or when the worker does."""
        try:
            observer = self._opener()
        except BaseException as error:  # noqa: BLE001 - whoever only watches must not fail what it watches
            logger.warning("the observer {} is left out: {}: {}", self._name, type(error).__name__, error)
            observer = None
        if observer is None:
            self._over = True
            return
        complained = False
        while (event := self._events.get()) is not None:
            try:
                event(observer)
            except BaseException as error:  # noqa: BLE001 - the same
                if not complained:
                    complained = True
                    logger.opt(exception=error).warning(
                        "the observer {} failed while watching; the work goes on: {}", self._name, error
                    )
        try:
            observer.close()
        except BaseException as error:  # noqa: BLE001 - the same
            logger.warning("the observer {} could not be closed: {}", self._name, error)


@contextmanager
def watched_by(
    types: Iterable[ObserverType], environment: Mapping[str, str], *, job: Job, worker: str
) -> Iterator[list[Aside]]:
    """The observers of these types for a worker of ``job``; closed at the end of the block."""

    def opener(one: ObserverType) -> WorkerObserver | None:
        setup = ObserverSetup(job.name, job.type, worker, plugin_settings(environment, one))
        opened: Any = load_object(one.opener)(setup)
        return opened  # type: ignore[no-any-return]  # what a plugin's factory gives, its author vouches for

    opened = [Aside(one.name, lambda one=one: opener(one)) for one in types]  # type: ignore[misc]
    try:
        yield opened
    finally:
        for observer in opened:
            observer.tell_end()
        deadline = time.monotonic() + _CLOSE_S
        for observer in opened:
            observer.wait_for_end(deadline - time.monotonic())
