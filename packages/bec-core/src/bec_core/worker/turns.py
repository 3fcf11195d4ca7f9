"""Turns at taking tasks: so many at a time, and the next one's begins while the last pages of one are at work.

A task passes its turn on once every page of it has begun, so that the threads, and the model, find pages of the next
volume in the pool when its own run out. The next task is claimed and held like any other: nothing is known of it that
is not written down.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turn:
    """One task's turn. ``before`` is that of the task whose last pages may still be at work, if there is one."""

    def __init__(
        self, passed_on: Callable[[Turn], None] = lambda _: None, before: Turn | None = None
    ) -> None:
        self._passed_on = passed_on
        self._before = before
        self._lock = threading.Lock()
        self._has_passed = False
        self.ended_at: float | None = None

    def pass_on(self) -> None:
        """Let the next task begin; again is nothing."""
        with self._lock:
            if self._has_passed:
                return
            self._has_passed = True
        self._passed_on(self)

    def end(self) -> None:
        """The task's pages are all finished, or given up; again is nothing."""
        if self.ended_at is None:
            self.ended_at = time.monotonic()
        self.pass_on()

    def free_since(self) -> float | None:
        """Since when no page of the task before is in this one's way (``time.monotonic()``); None: some may be.

        Minus infinity: there was no such task.
        """
        return -math.inf if self._before is None else self._before.ended_at

    def forget(self) -> None:
        """Nobody asks any more what was before: without this each turn would hold all that ever were."""
        self._before = None


class Turns:
    """``number`` turns."""

    def __init__(self, number: int) -> None:
        self._free = threading.Semaphore(number)
        self._passed: deque[Turn] = deque()

    @contextmanager
    def taken(self) -> Iterator[Turn]:
        """Wait for a turn, and have it within the block, or until it is passed on."""
        self._free.acquire()
        try:
            before: Turn | None = self._passed.popleft()
        except IndexError:
            before = None
        turn = Turn(self._pass_on, before)
        try:
            yield turn
        finally:
            turn.end()
            turn.forget()

    def _pass_on(self, turn: Turn) -> None:
        if turn.ended_at is None:
            self._passed.append(turn)
        self._free.release()
