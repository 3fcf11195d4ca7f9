"""How long a wait for PostgreSQL may take, by what it is for, and the watchdog that ends those that take longer."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from contextlib import suppress
from enum import StrEnum

from attrs import frozen


class Purpose(StrEnum):
    """What a connection is borrowed for, which decides on its deadlines."""

    WORK = "work"
    """A worker's short transaction."""
    KEEPER = "keeper"
    """Renewing leases: a late answer is worth no more than none."""
    READ = "read"
    """Figures and listings, in a transaction that can write nothing."""
    ADMIN = "admin"
    """What a person asked for and waits for: enqueueing, repairing."""
    MIGRATION = "migration"
    """Changing the schema: may take what it takes."""


@frozen
class Deadline:
    """The limits of one purpose in seconds; 0 is none, as in PostgreSQL's settings.

    ``answer_s`` is the client's own: for how long one statement's answer is waited for. It is longer than
    ``statement_s``, so that a server that can still speak says by itself what took so long.
    """

    statement_s: float
    lock_s: float
    idle_s: float
    answer_s: float

    @property
    def settings(self) -> dict[str, str]:
        """The server's side of it: settings by name, in milliseconds."""
        return {
            "statement_timeout": f"{1000 * self.statement_s:.0f}",
            "lock_timeout": f"{1000 * self.lock_s:.0f}",
            "idle_in_transaction_session_timeout": f"{1000 * self.idle_s:.0f}",
        }


# The shortest lease is 5 s, and a host that vanishes in a transaction must have let go of its rows by then.
DEADLINES = {
    Purpose.WORK: Deadline(statement_s=30, lock_s=5, idle_s=4, answer_s=35),
    Purpose.KEEPER: Deadline(statement_s=3, lock_s=2, idle_s=3, answer_s=4),
    Purpose.READ: Deadline(statement_s=120, lock_s=5, idle_s=600, answer_s=130),
    Purpose.ADMIN: Deadline(statement_s=600, lock_s=30, idle_s=15, answer_s=610),
    Purpose.MIGRATION: Deadline(statement_s=0, lock_s=0, idle_s=0, answer_s=math.inf),
}


class Line:
    """A second handle on a connection's socket, so that another thread can end a wait on it.

    It is a duplicate: libpq may close its own at any time, and the number would then be somebody else's.
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=os.dup(fd))
        self.cut_after_s: float | None = None

    def cut(self, after_s: float) -> None:
        """End whatever waits for an answer on it: to libpq the server has hung up."""
        self.cut_after_s = after_s
        with suppress(OSError):  # it is closed already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the handle."""
        self._socket.close()


class Watchdog:
    """One thread, started with the first wait, that cuts the lines whose wait has lasted too long."""

    def __init__(self) -> None:
        self._waits: dict[Line, tuple[float, float]] = {}  # when it began, when it shall end
        self._changed = threading.Condition()
        self._wakes_at = math.inf
        self._limit_s = math.inf
        self._thread: threading.Thread | None = None
        self._closed = False

    def arm(self, line: Line, limit_s: float) -> None:
        """From now on ``line`` waits for an answer, for ``limit_s`` at most."""
        now = time.monotonic()
        with self._changed:
            ends = now + min(limit_s, self._limit_s)
            self._waits[line] = (now, ends)
            if ends < self._wakes_at:
                self._wakes_at = ends
                if self._thread is None:
                    self._thread = threading.Thread(target=self._watch, name="bec-deadlines", daemon=True)
                    self._thread.start()
                self._changed.notify_all()

    def disarm(self, line: Line) -> None:
        """The wait is over."""
        with self._changed:
            self._waits.pop(line, None)

    def hurry(self, limit_s: float) -> None:
        """From now on no wait lasts longer than this, those under way included."""
        ends_by = time.monotonic() + limit_s
        with self._changed:
            self._limit_s = min(self._limit_s, limit_s)
            self._waits = {line: (began, min(ends, ends_by)) for line, (began, ends) in self._waits.items()}
            self._wakes_at = 0
            self._changed.notify_all()

    def close(self) -> None:
        """Cut what still waits, and end the thread."""
        with self._changed:
            self._closed = True
            for line, (began, _) in self._waits.items():
                line.cut(time.monotonic() - began)
            self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for line, (began, ends) in list(self._waits.items()):
                    if ends <= now:
                        line.cut(now - began)
                        del self._waits[line]
                # A wait that has ended meanwhile is not told: the thread then wakes once for nothing.
                self._wakes_at = min((ends for _, ends in self._waits.values()), default=math.inf)
                left = self._wakes_at - now
                self._changed.wait(None if left == math.inf else min(left, threading.TIMEOUT_MAX))
