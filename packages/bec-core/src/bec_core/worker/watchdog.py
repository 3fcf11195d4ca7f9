"""Feeds the service manager's watchdog while every thread of the worker gives its proof of life in time.

One that does not is named in the log with all stacks, and the watchdog is fed no more: the manager kills the process
and starts another. Where no manager watches, the process ends itself, for whoever started it to start another.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from loguru import logger

from bec_core.worker.hold import all_stacks
from bec_core.worker.life import ANSWER_S, Life, Sign
from bec_core.worker.notify import ServiceManager

EXIT_STUCK = 70
"""The process's exit status when something in it does not come back (EX_SOFTWARE)."""

LOADING_S = 1800.0
"""The longest that fetching and loading a model takes; meanwhile it may hold the interpreter, so nothing is said."""

_LOOK_S = 10.0


class Watchdog:
    """Tells a service manager how a worker's threads stand; its thread runs between :meth:`start` and :meth:`close`."""

    def __init__(self, manager: ServiceManager, life: Life) -> None:
        self._manager = manager
        self.life = life
        self._said = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="bec-watchdog", daemon=True)
        watched = manager.watchdog_s
        self._every_s = _LOOK_S if watched is None else min(_LOOK_S, watched / 4)

    def start(self) -> None:
        """Start the thread."""
        self._manager.status("starting")
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._closing = True
        self.life.changed.set()
        self._thread.join()

    def starting(self, what: str) -> None:
        """The calling thread makes ready for the work, or ends it: each within the time of a service's answer."""
        self.life.says(what, ANSWER_S)

    def idle(self, what: str, within_s: float) -> None:
        """There is nothing to do, so all that must be ready is; the calling thread looks again ``within_s``."""
        self.life.says(what, within_s + ANSWER_S)
        self._manager.ready(what)

    def ready(self) -> None:
        """The worker takes tasks from now on."""
        self._manager.ready(str(self.life))

    def stopping(self, why: str) -> None:
        """The process is about to end."""
        self.life.says(why, ANSWER_S)
        self._manager.stopping(why)

    @contextmanager
    def loading(self, what: str) -> Iterator[None]:
        """The manager is told at once how long the block may take: it may keep every thread from saying more."""
        self.life.says(what, LOADING_S)
        self._manager.status(what)
        if self._manager.watches_start_or_stop:
            self._manager.extend(LOADING_S)
        self._manager.watch_every(LOADING_S)
        try:
            yield
        finally:
            self._manager.watch_every()

    def look(self) -> None:
        """Feed the watchdog, unless a thread is overdue."""
        if overdue := self.life.overdue():
            self._refuse(overdue)
            return
        if self.life.draining:
            self._manager.stopping("stopping: " + str(self.life))
        else:
            self._manager.status(str(self.life))
        self._manager.alive()
        if self._manager.watches_start_or_stop:
            self._manager.extend(3 * self._every_s)

    def _run(self) -> None:
        while not self._closing:
            try:
                self.look()
            except Exception:  # noqa: BLE001 - without this thread the worker would be killed for nothing
                logger.exception("the watchdog met something unforeseen")
            self.life.changed.wait(self._every_s)  # that it stops is told at once
            self.life.changed.clear()

    def _refuse(self, overdue: list[Sign]) -> None:
        if self._said:
            return
        self._said = True
        now = time.monotonic()
        for sign in overdue:
            logger.critical(
                "{} has not been heard of for {:.0f} s ({}): this worker is to be killed and started anew",
                sign.thread,
                now - sign.heard,
                sign.what(),
            )
        logger.critical("the threads' stacks:\n{}", all_stacks())
        self._manager.status("hung: " + "; ".join(sign.what() for sign in overdue))
        if self._manager.watchdog_s is None:
            sys.stderr.flush()
            os._exit(EXIT_STUCK)
