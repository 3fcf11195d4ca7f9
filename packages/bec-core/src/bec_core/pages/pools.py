"""The threads and processes that work on pages; one set for each worker's process, shared by all its volumes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from bec_core.models import Page, PageData
from bec_core.pages.child import RUN
from bec_core.pages.flow import PageWork
from bec_core.pages.room import Room
from bec_core.pages.stages import Times
from bec_core.pages.values import PageValues

if TYPE_CHECKING:
    from bec_core.pages.processes import PageProcesses

R = TypeVar("R")

_FETCHERS = 16
"""Threads that wait for pages to come: they cost nothing while they wait."""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PagePools:
    """Pools by size, made when first asked for.

    ``most`` is the operator's word (``--threads``): no more pages than that at a time, whatever a job asks for.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self.room = Room()
        self._lock = threading.Lock()
        self._threads: dict[tuple[str, int], ThreadPoolExecutor] = {}
        self._processes: dict[int, PageProcesses] = {}

    def at_once(self, wanted: int | None) -> int:
        """How many pages may be worked on at a time, if a job wants so many (None: it doesn't say)."""
        if wanted is not None and wanted < 1:
            raise ValueError(f"map_pages can't work on {wanted} pages at a time")
        if wanted is None:
            return self._most or cores()
        return wanted if self._most is None else min(wanted, self._most)

    def threads(self, number: int, *, kind: str = "page") -> ThreadPoolExecutor:
        """The pool of so many threads."""
        with self._lock:
            key = (kind, number)
            if key not in self._threads:
                self._threads[key] = ThreadPoolExecutor(number, thread_name_prefix=f"bec-{kind}")
            return self._threads[key]

    def fetchers(self) -> ThreadPoolExecutor:
        """The pool that fetches pages."""
        return self.threads(_FETCHERS, kind="fetch")

    def processes(self, number: int) -> PageProcesses:
        """The pool of so many processes."""
        from bec_core.pages.processes import PageProcesses

        with self._lock:
            if number not in self._processes:
                self._processes[number] = PageProcesses(number)
            return self._processes[number]

    def close(self) -> None:
        """End all of them; what is at work is waited for. They are made anew for whoever asks again."""
        with self._lock:
            threads, self._threads = self._threads, {}
            processes, self._processes = self._processes, {}
        for pool in threads.values():
            pool.shutdown(cancel_futures=True)
        for one in processes.values():
            one.close()


def work_for(
    pools: PagePools,
    function: Callable[[Page, PageData], R],
    values: PageValues[R],
    *,
    threads: int | None,
    processes: int | None,
) -> PageWork[R]:
    """A job's function as the pools' work.

    Raises:
        TypeError: both threads and processes are given, or the function can't be sent to a process.
    """
    if processes is None:

        def in_thread(page: Page, data: PageData, times: Times) -> R:
            with times.current(), times.stage(RUN):
                return values.check(function(page, data), page.filename)

        number = pools.at_once(threads)
        return PageWork(in_thread, pools.threads(number), pools.fetchers(), number, pools.room)
    if threads is not None:
        raise TypeError("map_pages takes threads or processes, not both")
    from bec_core.pages.processes import check_picklable

    check_picklable(function)
    number = pools.at_once(processes)
    elsewhere = pools.processes(number)

    def in_process(page: Page, data: PageData, times: Times) -> R:
        value: R = elsewhere.call(function, values, page, data, times)
        return value

    return PageWork(in_process, pools.threads(number, kind="process"), pools.fetchers(), number, pools.room)
