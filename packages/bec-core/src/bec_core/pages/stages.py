"""Time by stage. A block within a block counts for itself alone, so that the stages add up to the whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[Times | None] = ContextVar("bec_times", default=None)


class Times:
    """The time that one piece of work took, by stage (milliseconds); for one thread."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._inner: list[float] = []
        self._failed: tuple[BaseException, str] | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block."""
        self._inner.append(0.0)
        began = time.perf_counter()
        try:
            yield
        except BaseException as error:
            if self._failed is None or self._failed[0] is not error:
                self._failed = (error, name)
            raise
        finally:
            spent = (time.perf_counter() - began) * 1000
            self.ms[name] = self.ms.get(name, 0.0) + spent - self._inner.pop()
            if self._inner:
                self._inner[-1] += spent

    def stage_of(self, error: BaseException, default: str) -> str:
        """The innermost stage that the error came out of."""
        return self._failed[1] if self._failed is not None and self._failed[0] is error else default

    @contextmanager
    def current(self) -> Iterator[None]:
        """Let :func:`timed` count here within the block."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


class TaskTimes:
    """A task's times by stage, added up over all its pages and threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ms: dict[str, float] = {}

    def add(self, ms: Mapping[str, float]) -> None:
        """Count a piece of work."""
        with self._lock:
            for name, spent in ms.items():
                self._ms[name] = self._ms.get(name, 0.0) + spent

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the block: with its page, or, outside of a page's function, by itself."""
        if _current.get() is not None:
            with timed(stage):
                yield
            return
        times = Times()
        try:
            with times.stage(stage), times.current():
                yield
        finally:
            self.add(times.ms)

    @property
    def by_stage(self) -> dict[str, float]:
        """The time by stage."""
        with self._lock:
            return dict(self._ms)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Count the block's time under ``stage``, in a function that ``map_pages`` calls (in a process, too).

    An unforeseen error of a page that comes out of the block is recorded with that stage. Elsewhere nothing is counted.
    """
    times = _current.get()
    if times is None:
        yield
        return
    with times.stage(stage):
        yield
