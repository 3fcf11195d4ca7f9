"""Pages in processes, for functions that keep Python's lock. Spawned, never forked: a worker has threads."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from loguru import logger

from bec_core.errors import PageError
from bec_core.models import Page, PageData
from bec_core.pages.child import RUN, Elsewhere, Told, run_page, start_child, told_error
from bec_core.pages.stages import Times
from bec_core.pages.values import PageValues


class PageProcesses:
    """So many processes, started when first needed; threads hand them pages and wait.

    A process that dies takes all pages at hand with it, and nobody can say which was the cause: each is tried once
    more, one at a time in a process of its own, and one that ends that process too has failed.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._one_by_one = threading.Lock()

    def call(
        self,
        function: Callable[[Page, PageData], Any],
        values: PageValues[Any],
        page: Page,
        data: PageData,
        times: Times,
    ) -> Any:
        """What the function makes of the page.

        Raises:
            PageError: the process died of it.
            Elsewhere: what the function raised, with its stage.
        """
        pool = self._running()
        try:
            told = pool.submit(run_page, function, values.returns, page, data).result()
        except BrokenProcessPool:
            self._drop(pool)
            told = self._alone(function, values, page, data)
        return _take(told, values, times)

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

    def _drop(self, broken: ProcessPoolExecutor) -> None:
        """Let the next page start new processes."""
        with self._lock:
            if self._pool is not broken:
                return
            self._pool = None
        logger.warning("a process that worked on pages died (memory?); its pages are tried again one by one")
        broken.shutdown(wait=False, cancel_futures=True)

    def _alone(
        self, function: Callable[[Page, PageData], Any], values: PageValues[Any], page: Page, data: PageData
    ) -> Told:
        with self._one_by_one, _pool(1) as pool:
            try:
                return pool.submit(run_page, function, values.returns, page, data).result()
            except BrokenProcessPool as error:
                raise PageError(
                    "the process that worked on it died, twice (memory?)",
                    stage=RUN,
                    error_type="ProcessDied",
                ) from error


def _pool(number: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        number, mp_context=multiprocessing.get_context("spawn"), initializer=start_child
    )


def check_picklable(function: Callable[..., Any]) -> None:
    """Refuse a function that can't be sent to another process.

    Raises:
        TypeError: saying what can.
    """
    try:
        pickle.dumps(function)
    except Exception as error:
        raise TypeError(
            f"map_pages(processes=…) sends its function to other processes, and {function!r} can't be sent ({error}):"
            " give it a module's own function, or a functools.partial of one"
        ) from error


def _take(told: Told, values: PageValues[Any], times: Times) -> Any:
    for name, spent in told.ms.items():
        times.ms[name] = times.ms.get(name, 0.0) + spent
    for level, text in told.lines:
        logger.log(level, "{}", text)
    if told.error is not None:
        met = pickle.loads(told.error)
        raise Elsewhere(told_error(met), met.stage)
    assert told.value is not None
    return values.from_bytes(told.value)
