"""How often a host is asked: one pace for all processes of this machine, also after one of them was killed.

::

    hosts/{host}   when its next request may go out, and until when it wants to be left alone
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen

from bec_core import stable_id
from bec_iiif.errors import Unavailable

_MOST_S = 3600.0
"""No host is left alone for longer; what a file says beyond comes of a clock that was set back."""


@frozen
class _Times:
    """``slot``: when the next request may go out; ``left_alone``: not before this; in seconds since the epoch."""

    slot: float = 0.0
    left_alone: float = 0.0


class Pace:
    """Gives each request to a host its time.

    Args:
        folder: is there; shared by the processes of this machine.
        per_second: requests a second to one host.
        most_wait_s: how long a request waits for a host that wants to be left alone.
        clock: the time.
        sleep: sleeps some seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        per_second: float,
        most_wait_s: float,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder
        self._interval_s = 1.0 / per_second
        self._most_wait_s = most_wait_s
        self._clock = clock
        self._sleep = sleep

    def wait(self, host: str) -> None:
        """Sleep until a request may go out.

        Raises:
            Unavailable: the host wants to be left alone for longer than one waits.
        """
        while True:
            with self._times(host) as (times, write):
                now = self._clock()
                alone_s = self._within(times.left_alone, now)
                if alone_s > self._most_wait_s:
                    raise Unavailable(f"{host} wants to be left alone for another {alone_s:.0f} s", 429)
                pause_s = max(alone_s, self._within(times.slot, now))
                write(evolve(times, slot=now + pause_s + self._interval_s))
            if pause_s <= 0:
                return
            self._sleep(pause_s)
            with self._times(host) as (times, _):
                if self._within(times.left_alone, self._clock()) <= 0:
                    return  # else the host said so while this request waited: it waits again

    def leave_alone(self, host: str, seconds: float) -> None:
        """Ask the host nothing for so long."""
        with self._times(host) as (times, write):
            until = self._clock() + min(seconds, _MOST_S)
            write(evolve(times, left_alone=max(times.left_alone, until)))

    def _within(self, moment: float, now: float) -> float:
        """Seconds until ``moment``; 0 for one that is past, or further off than anything that was written."""
        left = moment - now
        return left if 0 < left <= _MOST_S + self._interval_s * 1000 else 0.0

    @contextmanager
    def _times(self, host: str) -> Iterator[tuple[_Times, Callable[[_Times], None]]]:
        """A host's times and what writes new ones, while no other thread or process has them."""
        try:
            descriptor = os.open(self._folder / stable_id(host), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Unavailable(f"{host} is not asked: its pace can't be kept: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)

            def write(times: _Times) -> None:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps([times.slot, times.left_alone]).encode(), 0)

            yield _read(os.pread(descriptor, 200, 0)), write
        finally:
            os.close(descriptor)


def _read(text: bytes) -> _Times:
    try:
        slot, left_alone = json.loads(text)
        return _Times(float(slot), float(left_alone))
    except (ValueError, TypeError):  # new, or a killed process left half of it
        return _Times()
