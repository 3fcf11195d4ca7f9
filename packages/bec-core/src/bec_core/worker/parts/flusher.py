"""The clock of parts: what was finished a while ago is written, whether or not another page comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from loguru import logger

_TICK_S = 0.5


class _Held(Protocol):
    @property
    def parts(self) -> _Parts | None: ...


class _Parts(Protocol):
    def flush_if_due(self, *, within_s: float | None) -> None: ...


class PartsFlusher:
    """One thread that writes the parts of all tasks at hand."""

    def __init__(self, held: Callable[[], Iterable[_Held]]) -> None:
        self._held = held
        self._within_s: float | None = None
        self._closing = threading.Event()
        self._hurried = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bec-parts", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._closing.set()
        self._hurried.set()
        self._thread.join()

    def hurry(self, within_s: float) -> None:
        """Write what there is now, and from now on what was finished so long ago: the machine may vanish."""
        self._within_s = within_s
        self._hurried.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            at_once = self._hurried.wait(_TICK_S)
            self._hurried.clear()
            for task in self._held():
                if task.parts is None or self._closing.is_set():
                    continue
                try:
                    task.parts.flush_if_due(within_s=0.0 if at_once else self._within_s)
                except Exception:  # noqa: BLE001 - without this thread nothing would be kept any more
                    logger.exception("keeping finished pages met something unforeseen")
