"""The room for pages that are fetched and not done: one bound for all volumes that a process works on."""

from __future__ import annotations

import threading

MOST_BYTES = 256 << 20


class Room:
    """So many bytes, shared by all runs over pages. A single page may be larger, and each run may have one at hand."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: dict[int, int] = {}

    def take(self, who: object, number: int) -> None:
        """Say how many bytes ``who`` has at hand now, or expects; 0: none."""
        with self._lock:
            if number:
                self._taken[id(who)] = number
            else:
                self._taken.pop(id(who), None)

    @property
    def taken(self) -> int:
        """How many bytes all together have."""
        with self._lock:
            return sum(self._taken.values())

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be fetched."""
        return self.taken >= self._most
