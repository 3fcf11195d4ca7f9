"""Pages in processes, for functions that keep Python's lock. Spawned, never forked: a worker has threads."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

import psutil
from loguru import logger

from bec_core.errors import PageError, RuntimeFault
from bec_core.models import Page, PageData
from bec_core.pages.child import (
    GROUP_SIGNALS,
    RUN,
    Elsewhere,
    PageCall,
    Told,
    get_ready,
    run_page,
    start_child,
    told_error,
)
from bec_core.pages.stages import Times
from bec_core.pages.values import Made

_UNEXPLAINED = 3
"""So many deaths in a row, of which no page is the cause, before any page was done: these processes can't live here."""

_WAY_OUT = "too little memory? Let fewer work at a time (--threads)"


class PageProcesses:
    """So many processes, started when first needed; threads hand them pages and wait.

    A process that dies takes all pages at hand with it, and nobody can say which was the cause: each is tried once
    more, one at a time in a process of its own, and one that ends that process too has failed. Processes that die
    before they have begun a page, or can't prepare for it, are no page's failure.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._done = 0  # pages, by this pool
        self._unexplained = 0  # deaths
        self._one_by_one = threading.Lock()
        self._suspects = 0
        self._single: ProcessPoolExecutor | None = None

    def start(self, call: PageCall, number: int) -> None:
        """Let so many processes prepare, unless some run already; nobody waits for them."""
        if not call.prepare:
            return
        with self._lock:
            if self._pool is not None:
                return
            self._pool = pool = _pool(self._number)
        with suppress(BrokenProcessPool):  # whoever has a page will meet it
            for _ in range(number):
                _submit(pool, get_ready, call.prepare)

    def call(self, call: PageCall, page: Page, data: PageData, times: Times) -> Made[Any]:
        """What the function makes of the page.

        Raises:
            PageError: the process died of it.
            RuntimeFault: no process can work on pages.
            Elsewhere: what the function raised, with its stage.
        """
        pool = self._running()
        try:
            told = _submit(pool, run_page, call, page, data).result()
        except BrokenProcessPool as error:
            self._drop(pool, error)
            told = self._alone(call, page, data)
        else:
            with self._lock:
                self._done += 1
        return _take(told, times)

    def close(self) -> None:
        """End the processes; what is at work is waited for."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _running(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = _pool(self._number)
            return self._pool

    def _drop(self, broken: ProcessPoolExecutor, error: BrokenProcessPool) -> None:
        """Let the next page start new processes.

        Raises:
            RuntimeFault: that was done too often.
        """
        with self._lock:
            if self._pool is broken:
                self._pool = None
                self._unexplained = 1 if self._done else self._unexplained + 1
                self._done = 0
                logger.warning(
                    "a process that worked on pages died (memory?); its pages are tried again one by one"
                )
                broken.shutdown(wait=False, cancel_futures=True)
            if self._unexplained >= _UNEXPLAINED:
                raise RuntimeFault(
                    f"of {self._number} processes for pages one died {self._unexplained} times in a row before a page"
                    f" was done, and no page was the cause: {_WAY_OUT}"
                ) from error

    def _alone(self, call: PageCall, page: Page, data: PageData) -> Told:
        """What comes of the page in a process of its own, which serves all that are to be tried so, unless it dies."""
        with self._lock:
            self._suspects += 1
        try:
            with self._one_by_one:
                return self._suspect(call, page, data)
        finally:
            with self._lock:
                self._suspects -= 1
                last, self._single = (None, self._single) if self._suspects else (self._single, None)
            if last is not None:
                last.shutdown()

    def _suspect(self, call: PageCall, page: Page, data: PageData) -> Told:
        self._single = pool = self._single or _pool(1)
        try:
            if (told := _submit(pool, get_ready, call.prepare).result()).unready:
                return told
        except BrokenProcessPool as error:
            self._single = None
            raise RuntimeFault(
                f"a process for pages died before it had one, alone too: {_WAY_OUT}"
            ) from error
        try:
            return _submit(pool, run_page, call, page, data).result()
        except BrokenProcessPool as error:
            self._single = None
            with self._lock:
                self._unexplained = 0
            raise PageError(
                "the process that worked on it died, twice (memory?)",
                stage=RUN,
                error_type="ProcessDied",
            ) from error


def _pool(number: int) -> ProcessPoolExecutor:
    with _signals_held():  # Python's helper for processes ignores but SIGHUP, which stays held for it
        resource_tracker.ensure_running()
    return ProcessPoolExecutor(
        number, mp_context=multiprocessing.get_context("spawn"), initializer=start_child
    )


def _submit(pool: ProcessPoolExecutor, function: Callable[..., Told], *arguments: Any) -> Future[Told]:
    """Hand it to the pool, which may start a process for it."""
    with _signals_held():
        return pool.submit(function, *arguments)


@contextmanager
def _signals_held() -> Iterator[None]:
    """A process that is started meanwhile has these signals wait until it ignores them (`start_child`)."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def processor_s() -> float:
    """Seconds of processor time that this process's living page processes have taken so far."""
    spent = 0.0
    for child in multiprocessing.active_children():
        try:
            times = psutil.Process(child.pid).cpu_times()
        except psutil.Error:
            continue  # it has just ended, and counts among those that were waited for
        spent += times.user + times.system
    return spent


def sendable(function: Callable[..., Any]) -> bytes:
    """A function pickled for another process.

    Raises:
        TypeError: it can't be sent; saying what can.
    """
    try:
        return pickle.dumps(function)
    except Exception as error:
        raise TypeError(
            f"map_pages(processes=…) sends its function to other processes, and {function!r} can't be sent ({error}):"
            " give it a module's own function, or a functools.partial of one"
        ) from error


def _take(told: Told, times: Times) -> Made[Any]:
    for name, spent in told.ms.items():
        times.ms[name] = times.ms.get(name, 0.0) + spent
    for level, text in told.lines:
        logger.log(level, "{}", text)
    if told.error is not None:
        met = pickle.loads(told.error)
        error = told_error(met)
        if told.unready:
            raise RuntimeFault(f"no process can be made ready for pages: {error}") from error
        raise Elsewhere(error, met.stage)
    assert told.value is not None

    def to_keep() -> bytes:
        if isinstance(told.kept, bytes):
            return told.kept
        raise TypeError(told.kept)

    return Made(pickle.loads(told.value), to_keep)
