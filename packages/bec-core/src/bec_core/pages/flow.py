"""One run over a volume's pages: fetch ahead, work side by side, hand back in order.

Two pools do it: one fetches, the other calls the job's function. Whoever finishes a page starts the next fetch, so the
pools never wait for the reader, except to keep memory within bounds: so many pages at hand, so many bytes of them, and
so many results that nobody has taken yet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from typing import Any, Generic, Protocol, TypeVar

from attrs import frozen
from loguru import logger

from bec_core.errors import (
    JobGone,
    PageError,
    RuntimeFault,
    ServiceError,
    TaskError,
    TaskStopped,
)
from bec_core.job import StopSignal
from bec_core.logs import in_context
from bec_core.models import Page, PageData
from bec_core.pages.child import RUN, Elsewhere
from bec_core.pages.room import Room
from bec_core.pages.stages import TaskTimes, Times
from bec_core.pages.values import Made

R = TypeVar("R")
V = TypeVar("V")

FETCH = "fetch"
AHEAD = 8
"""So many pages are fetched ahead at least."""
_RESULTS_AHEAD = 4  # times the pages at hand
_POLL_S = 0.2

OF_THE_TASK = (TaskStopped, TaskError, RuntimeFault, ServiceError, JobGone)
"""Errors that end the whole task, wherever they are raised. Everything else is its page's."""


class Pages(Protocol):
    """What a flow needs of its task."""

    @property
    def stop(self) -> StopSignal:
        """The stop signal."""
        ...

    def read_page(self, page: Page) -> PageData:
        """The page's bytes."""
        ...

    def page_begun(self, page: Page) -> None:
        """The page is being fetched."""
        ...

    def page_done(self, page: Page) -> None:
        """The page is finished."""
        ...

    def page_tried_again(self, page: Page) -> None:
        """The page failed for a reason that may pass; it is tried once more."""
        ...

    def page_failed(self, page: Page, error: BaseException, *, data: PageData | None = None) -> None:
        """The page has failed."""
        ...


class Kept(Protocol[V]):
    """Results that an earlier attempt kept of these pages, and where new ones are kept."""

    def has(self, page: Page) -> bool:
        """Whether the page's result was kept."""
        ...

    def value(self, page: Page) -> V:
        """That result."""
        ...

    def keep(self, page: Page, etag: str, made: Made[V], ms: Mapping[str, float]) -> None:
        """Keep a result; ``etag`` is that of the bytes that it was made from."""
        ...


@frozen
class PageWork(Generic[R]):
    """What is done to each page, by whom, how many at a time, and the room for those that are fetched."""

    call: Callable[[Page, PageData, Times], Made[R]]
    workers: Executor
    fetchers: Executor
    at_once: int
    room: Room


class PageFlow(Generic[R]):
    """A run over ``pages``; iterate once. Ends what it has begun when the iterator ends, or by :meth:`end`.

    A page that ``kept`` has is not begun: its result is read when its turn comes.
    """

    def __init__(
        self,
        task: Pages,
        pages: Sequence[Page],
        work: PageWork[R],
        times: TaskTimes,
        *,
        kept: Kept[R] | None = None,
        retry_pause_s: float = 0.5,
    ) -> None:
        self._task = task
        self._pages = pages
        self._work = work
        self._times = times
        self._kept = kept
        self._retry_pause_s = retry_pause_s
        self._fetch_in_context = in_context(self._fetch)
        self._call_in_context = in_context(self._call)
        self._most_at_hand = work.at_once + max(AHEAD, work.at_once)
        self._changed = threading.Condition()
        self._to_do = [n for n, page in enumerate(pages) if kept is None or not kept.has(page)]
        self._next = 0  # the first of them that is not begun
        self._taken = 0  # so many results were taken
        self._at_hand = 0
        self._bytes = 0  # of pages that are fetched
        self._coming = 0  # pages that are being fetched: each is taken to be as large as the largest so far
        self._largest = 0
        self._results: dict[int, R | None] = {}
        self._running: set[Future[None]] = set()
        self._error: BaseException | None = None
        self._ended = False

    def __iter__(self) -> Iterator[tuple[Page, R | None]]:
        try:
            with self._changed:
                self._begin_more()
            for position, page in enumerate(self._pages):
                if self._kept is not None and self._kept.has(page):
                    self._check()
                    yield page, self._kept.value(page)
                else:
                    yield page, self._result(position)
        finally:
            self.end()

    def end(self) -> None:
        """Begin no more pages, and wait for those at work."""
        with self._changed:
            self._ended = True
            running = list(self._running)
        wait([future for future in running if not future.cancel()])
        self._work.room.take(self, 0)

    # -- the reader's side ----------------------------------------------------------------------------

    def _check(self) -> None:
        """Raise what has ended the run."""
        if self._error is not None:
            raise self._error
        self._task.stop.check()

    def _result(self, position: int) -> R | None:
        with self._changed:
            while True:
                self._check()
                if position in self._results:
                    self._taken += 1
                    self._begin_more()
                    return self._results.pop(position)
                self._changed.wait(_POLL_S)

    # -- the pools' side ------------------------------------------------------------------------------

    def _begin_more(self) -> None:
        """Begin as many pages as there is room for; the lock must be held."""
        while (
            not self._ended
            and self._error is None
            and self._next < len(self._to_do)
            and self._at_hand < self._most_at_hand
            and self._next - self._taken < _RESULTS_AHEAD * self._most_at_hand
            and (not self._at_hand or not self._work.room.is_full)
        ):
            position, self._next = self._to_do[self._next], self._next + 1
            self._at_hand += 1
            self._comes(1)
            self._submit(self._work.fetchers, self._fetch_in_context, position, False)
            self._task.page_begun(self._pages[position])

    def _comes(self, pages: int, fetched: int = 0) -> None:
        """So many more pages are being fetched, and so many bytes more are; the lock must be held."""
        self._coming += pages
        self._bytes += fetched
        self._largest = max(self._largest, fetched)
        self._work.room.take(self, self._bytes + self._coming * self._largest)

    def _submit(self, pool: Executor, step: Callable[..., None], *arguments: Any) -> None:
        """Hand a step to a pool, unless this run has ended; the lock must be held."""
        if self._ended or self._error is not None:
            return
        try:
            future = pool.submit(step, *arguments)
        except RuntimeError as closed:
            self._fail(RuntimeFault(f"the threads that work on pages were closed: {closed}"))
            return
        self._running.add(future)
        future.add_done_callback(self._forget)

    def _forget(self, future: Future[None]) -> None:
        """A step has ended. One that did not come to its end (its pool was closed) ends the run."""
        with self._changed:
            self._running.discard(future)
            if future.cancelled():
                if not self._ended:
                    self._fail(RuntimeFault("the threads that work on pages were closed"))
            elif error := future.exception():
                self._fail(error)

    def _fetch(self, position: int, again: bool) -> None:
        page, times = self._pages[position], Times()
        try:
            if again:
                self._pause()
            self._task.stop.check()
            with times.stage(FETCH):
                data = self._task.read_page(page)
        except BaseException as error:  # noqa: BLE001 - handed on: to the page's record, or to whoever iterates
            self._times.add(times.ms)
            with self._changed:
                self._comes(-1)
            self._failed(position, error, None, FETCH, again)
            return
        self._times.add(times.ms)
        with self._changed:
            self._comes(-1, len(data.data))
            self._submit(self._work.workers, self._call_in_context, position, data, again, times.ms)

    def _pause(self) -> None:
        """Let a moment pass before a page is tried again."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._error is not None, self._retry_pause_s)

    def _call(self, position: int, data: PageData, again: bool, fetch_ms: Mapping[str, float]) -> None:
        page, times = self._pages[position], Times()
        try:
            self._task.stop.check()
            made = self._work.call(page, data, times)
        except Elsewhere as told:
            failed: tuple[BaseException, str] | None = (told.error, told.stage)
        except BaseException as error:  # noqa: BLE001 - handed on: to the page's record, or to whoever iterates
            failed = (error, times.stage_of(error, RUN))
        else:
            failed = None
        self._times.add(times.ms)
        with self._changed:
            self._comes(0, -len(data.data))
        if failed is not None:
            self._failed(position, failed[0], data, failed[1], again)
        else:
            if self._kept is not None:
                self._kept.keep(page, data.etag, made, {**fetch_ms, **times.ms})
            self._finish(position, made.value)

    def _failed(
        self, position: int, error: BaseException, data: PageData | None, stage: str, again: bool
    ) -> None:
        """The page's failure, or the task's."""
        page = self._pages[position]
        if isinstance(error, OF_THE_TASK) or not isinstance(error, Exception):
            self._fail(error)
            return
        problem = error if isinstance(error, PageError) else _of_the_page(error, stage)
        if problem.retryable and not again:
            logger.info("page {} failed for a reason that may pass: once more ({})", page.filename, problem)
            self._task.page_tried_again(page)
            with self._changed:
                self._comes(1)
                self._submit(self._work.fetchers, self._fetch_in_context, position, True)
            _let_go(error)
            return
        try:
            self._task.page_failed(page, problem, data=data)
        except BaseException as fault:  # noqa: BLE001 - handed on to whoever iterates
            self._fail(fault)
            return
        _let_go(error)
        self._finish(position, None)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            if self._error is None:
                self._error = error
            self._changed.notify_all()

    def _finish(self, position: int, value: R | None) -> None:
        try:
            self._task.page_done(self._pages[position])
        except BaseException as fault:  # noqa: BLE001 - handed on to whoever iterates
            self._fail(fault)
            return
        with self._changed:
            self._at_hand -= 1
            self._results[position] = value
            self._begin_more()
            self._changed.notify_all()


def _let_go(error: BaseException) -> None:
    """Drop the frames that the error came through: they hold the page's bytes, and the error itself again."""
    error.__traceback__ = None


def _of_the_page(error: Exception, stage: str) -> PageError:
    """An unforeseen error as its page's, with its own type and traceback."""
    problem = PageError(str(error) or type(error).__name__, stage=stage, error_type=type(error).__name__)
    problem.__cause__ = error
    return problem
