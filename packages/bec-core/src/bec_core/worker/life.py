"""Proof of life: what each thread of a worker does, and by when it will be heard of again.

A thread says so itself before it waits for anything; one at work on a task is heard of by the task's progress. What
is overdue is not judged here: the :class:`~bec_core.worker.watchdog.Watchdog` does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from attrs import field, frozen

ANSWER_S = 300.0
"""The longest that one call of a service takes until it is answered or given up, retries included."""

SLOT = "bec-slot-"
"""What the names of threads that take tasks begin with."""


@frozen
class Sign:
    """What a thread does since ``since``, and for how long it may go without a sign. Times are ``time.monotonic()``."""

    thread: str
    what: Callable[[], str]
    within_s: float
    since: float = field(factory=time.monotonic)
    progress: Callable[[], float] | None = None

    @property
    def heard(self) -> float:
        """When it was heard of last."""
        return max(self.since, self.progress()) if self.progress else self.since

    def is_overdue(self, now: float) -> bool:
        """Whether it should have been heard of since."""
        return now > self.heard + self.within_s


class Life:
    """The signs of a worker's threads, each thread's latest; set by the threads themselves."""

    def __init__(self) -> None:
        self._signs: dict[int, Sign] = {}
        self._lock = threading.Lock()
        self._draining = False
        self.changed = threading.Event()

    @property
    def draining(self) -> bool:
        """Whether the process was told to stop."""
        return self._draining

    def drain(self) -> None:
        """The process was told to stop. Takes no lock: a signal's handler may call it."""
        self._draining = True
        self.changed.set()

    def says(
        self,
        what: str | Callable[[], str],
        within_s: float,
        *,
        progress: Callable[[], float] | None = None,
    ) -> None:
        """The calling thread does ``what`` and is heard of again within ``within_s``, or of each ``progress``."""
        thread = threading.current_thread()
        told = what if callable(what) else lambda: what
        with self._lock:
            self._signs[thread.native_id or 0] = Sign(thread.name, told, within_s, progress=progress)

    def ends(self) -> None:
        """The calling thread has nothing more to say."""
        with self._lock:
            self._signs.pop(threading.current_thread().native_id or 0, None)

    def overdue(self) -> list[Sign]:
        """The signs of threads that should have been heard of by now."""
        now = time.monotonic()
        return [sign for sign in self.signs() if sign.is_overdue(now)]

    def signs(self) -> list[Sign]:
        """Each thread's latest sign."""
        with self._lock:
            return list(self._signs.values())

    def __str__(self) -> str:
        """What the slots do, in a line; without any, what the process does."""
        signs = self.signs()
        slots = [sign for sign in signs if sign.thread.startswith(SLOT)]
        return "; ".join(sign.what() for sign in slots or signs)
