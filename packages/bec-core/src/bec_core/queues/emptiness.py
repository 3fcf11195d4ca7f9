"""Whether a queue is empty: one whose figures lag has to say so twice, some time apart."""

from __future__ import annotations

import threading
import time

from attrs import define, field

from bec_core.models import QueueStats


@define
class Emptiness:
    """What was seen of a queue's figures so far; used from several threads.

    Attributes:
        exact: the figures don't lag, so that one look is enough.
        apart_s: how far apart two looks must be.
    """

    exact: bool
    apart_s: float
    _since: float | None = field(default=None, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def look(self, stats: QueueStats) -> bool:
        """Whether the queue is empty, with what it says now."""
        with self._lock:
            if stats.available + stats.in_flight + stats.delayed:
                self._since = None
                return False
            if self.exact:
                return True
            now = time.monotonic()
            if self._since is None:
                self._since = now
                return False
            return now - self._since >= self.apart_s

    def something_came(self) -> None:
        """A message was received: it was not empty."""
        with self._lock:
            self._since = None

    @property
    def seen_once(self) -> bool:
        """Whether it was seen empty, and is to be looked at again."""
        return self._since is not None
