"""Reads that all viewers share: the database is asked once however many look, and never more than it bears.

A value is fresh for two seconds, or so long that reading it takes two hundredths of the time, whichever is longer. An
older one is shown once more while it is read anew; one that nobody asked for long is waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from attrs import define

from bec_serve.errors import NoAnswer

FRESH_S = 2.0
_SHARE = 0.02  # of the time may be spent on reading one thing
_MOST_S = 60.0  # older than this nothing gets for the sake of the database
_STILL_SHOWN = 5.0  # times as long as it is fresh
_KEPT = 1000
_PATIENCE_S = 10.0

T = TypeVar("T")


@define
class _Entry:
    """What was read last: its value or what went wrong, when that was, and how long it took (seconds)."""

    value: Any = None
    error: Exception | None = None
    read_at: float | None = None
    cost_s: float = 0.0
    reading: asyncio.Task[None] | None = None

    def age_s(self) -> float:
        return float("inf") if self.read_at is None else time.monotonic() - self.read_at


class Cache:
    """Values by key, read in threads of its own; for one event loop.

    Args:
        threads: so many reads at once, at most.
        patience_s: a page waits so long for a read.
    """

    def __init__(self, threads: int, *, patience_s: float = _PATIENCE_S) -> None:
        self._pool = ThreadPoolExecutor(threads, "bec-serve-read")
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._patience_s = patience_s
        self.reads = 0

    async def get(self, key: Hashable, read: Callable[[], T], *, fresh_s: float = FRESH_S) -> T:
        """The value of ``key``, by ``read`` in a thread if it must be.

        Raises:
            NoAnswer: it takes too long; it goes on, and the next call may have it.
            Exception: whatever ``read`` raised, at most as long ago as a value would be fresh.
        """
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        self._forget_oldest()
        fresh = max(fresh_s, min(entry.cost_s / _SHARE, _MOST_S))
        if entry.age_s() > fresh:
            if entry.reading is None:
                entry.reading = asyncio.create_task(self._read(entry, read))
            if entry.age_s() > _STILL_SHOWN * fresh or entry.error is not None:
                try:
                    await asyncio.wait_for(asyncio.shield(entry.reading), self._patience_s)
                except TimeoutError:
                    raise NoAnswer(f"no answer for {self._patience_s:.0f} s") from None
        if entry.error is not None:
            raise entry.error
        value: T = entry.value
        return value

    async def run(self, do: Callable[[], T]) -> T:
        """Something that is done and not kept, in a thread of the same ones."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, do)

    async def _read(self, entry: _Entry, read: Callable[[], T]) -> None:
        began = time.monotonic()
        self.reads += 1
        try:
            entry.value, entry.error = (
                await asyncio.get_running_loop().run_in_executor(self._pool, read),
                None,
            )
        except Exception as error:  # noqa: BLE001 - told to everybody who asks
            entry.error = error
        entry.read_at = time.monotonic()
        entry.cost_s = 0.0 if entry.error is not None else entry.read_at - began
        entry.reading = None

    def forget(self) -> None:
        """Read everything anew: something was changed from here."""
        for entry in self._entries.values():
            entry.read_at = None

    def _forget_oldest(self) -> None:
        while len(self._entries) > _KEPT:
            self._entries.popitem(last=False)

    def close(self) -> None:
        """End the threads; what they read is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
