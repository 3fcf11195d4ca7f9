"""Signals that stop a worker."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bec_cli.exits import StoppedBySignal
from bec_core.worker import BECWorker

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def interrupting_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt the block as Ctrl-C does, so that whatever is open is closed.

    Raises:
        StoppedBySignal: one came.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise StoppedBySignal(number)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopping_on_signals(worker: BECWorker, *, at_once: bool = False) -> Iterator[list[int]]:
    """SIGTERM, SIGHUP (a closed terminal) or SIGINT asks the worker to stop, within its grace period; a second
    one (or ``at_once``) makes it hand its tasks back now. Yields the list of the signals received so far."""
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if received or at_once:
            worker.stop_now()
        else:
            worker.stop()
        received.append(number)

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
