"""The signal that tells a running job to stop, and why."""

from __future__ import annotations

import threading

from bec_core.errors import BecError


class StopFlag:
    """A :class:`~bec_core.job.StopSignal` that the runtime sets; the first reason stays."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reason: BecError | None = None

    @property
    def reason(self) -> BecError | None:
        """Why the job must stop; None while it may go on."""
        return self._reason

    def set(self, reason: BecError) -> None:
        """Tell the job to stop."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
                self._event.set()

    def is_set(self) -> bool:
        """True once the job must stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise the reason once the job must stop."""
        if self._reason is not None:
            # a new object each time: one that is raised by many threads would gather all their tracebacks
            raise type(self._reason)(*self._reason.args)

    def wait(self, timeout_s: float) -> bool:
        """Wait until the job must stop, at most ``timeout_s``; True if it must."""
        return self._event.wait(timeout_s)
