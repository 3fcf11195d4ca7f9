"""The threads and processes that work on pages; one set for each worker's process, shared by all its volumes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bec_core.machine import cores
from bec_core.models import Page, PageData
from bec_core.pages.child import RUN, PageCall
from bec_core.pages.flow import PageWork
from bec_core.pages.room import Room
from bec_core.pages.stages import Times
from bec_core.pages.values import Made, PageValues

if TYPE_CHECKING:
    from bec_core.pages.processes import PageProcesses

R = TypeVar("R")

_FETCHERS = 16
"""Threads that wait for pages to come: they cost nothing while they wait."""


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
    prepare: Callable[[], object] | None = None,
    keep: bool = False,
    pages: int | None = None,
) -> PageWork[R]:
    """A job's function as the pools' work.

    Args:
        pools: who does it.
        function, threads, processes, prepare: see ``map_pages``.
        values: of what it returns.
        keep: its values will be kept.
        pages: so many will come, as far as is known: processes for them are started at once.

    Raises:
        TypeError: both threads and processes are given, ``prepare`` without processes, or what can't be sent to one.
    """
    if processes is None:
        if prepare is not None:
            raise TypeError(
                "map_pages(prepare=…) prepares processes: threads share what the worker has loaded"
            )

        def in_thread(page: Page, data: PageData, times: Times) -> Made[R]:
            with times.current(), times.stage(RUN):
                value = values.check(function(page, data), page.filename)
            return Made(value, partial(values.to_bytes, value))

        number = pools.at_once(threads)
        return PageWork(in_thread, pools.threads(number), pools.fetchers(), number, pools.room)
    if threads is not None:
        raise TypeError("map_pages takes threads or processes, not both")
    from bec_core.pages.processes import sendable

    sendable(function)
    call = PageCall(function, values.returns, b"" if prepare is None else sendable(prepare), keep)
    number = pools.at_once(processes)
    elsewhere = pools.processes(number)
    elsewhere.start(call, number if pages is None else min(number, pages))

    def in_process(page: Page, data: PageData, times: Times) -> Made[R]:
        made = elsewhere.call(call, page, data, times)
        return Made(values.check(made.value, page.filename), made.to_keep)

    return PageWork(in_process, pools.threads(number, kind="process"), pools.fetchers(), number, pools.room)
