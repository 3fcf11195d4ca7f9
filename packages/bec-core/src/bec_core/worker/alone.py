"""Letting one task have the process to itself: what a process died of with several in hand is tried alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_S = 0.5


class Gate:
    """Many may be inside together, or one alone; who wants to be alone is let in before others that come later."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._alone = False
        self._wanting = 0

    @contextmanager
    def passing(self, *, alone: bool, check: Callable[[], None]) -> Iterator[None]:
        """Be inside within the block; ``check`` is called while waiting and may raise to give up."""
        with self._condition:
            if alone:
                self._wanting += 1
            try:
                while self._alone or (self._inside if alone else self._wanting):
                    check()
                    self._condition.wait(_LOOK_S)
            finally:
                if alone:
                    self._wanting -= 1
                    self._condition.notify_all()
            self._inside += 1
            self._alone = alone
        try:
            yield
        finally:
            with self._condition:
                self._inside -= 1
                if alone:
                    self._alone = False
                self._condition.notify_all()
