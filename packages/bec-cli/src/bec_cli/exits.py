"""The exit statuses of ``bec``: stable, for scripts and for systemd. The operators' guide lists them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bec_core.errors import BecError


class StoppedBySignal(KeyboardInterrupt):
    """SIGTERM or SIGHUP, raised as Ctrl-C is where there is nothing at hand yet that would have to be handed back."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


class Exit(IntEnum):
    """What a status means. 2 is also click's own status for a wrong command line."""

    OK = 0
    """Done; of ``bec worker``: nothing is left to do."""
    FAILED = 1
    """An error without a status of its own; with --debug its traceback is shown."""
    USAGE = 2
    """The command line, the environment or a job's config is wrong: the same call fails again."""
    NOT_FOUND = 3
    """There is no such job, volume, task, worker, queue or plugin."""
    CONFLICT = 4
    """The operation does not fit the present state (a job of this name exists, a job is cancelled)."""
    UNAVAILABLE = 5
    """The database, the queue or the object store can't be reached: the same call may work later."""
    SOME_FAILED = 6
    """The command did its work, but part of it failed: volumes, messages; or what an audit or an alarm found."""
    STUCK = 70
    """Of ``bec worker``: a job did not come back, or a slot was not heard of in time; a new process must take over."""
    WORK_LEFT = 75
    """Of ``bec worker``: volumes wait that can't be worked on now (in back-off, running elsewhere): start it again."""
    FAULT = 76
    """Of ``bec worker``: this program met a fault of its own, again and again; no volume was given up for it."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C (or a question answered with no); of a worker: after handing its tasks back."""
    TERMINATED = 143
    """Of ``bec worker``: stopped by SIGTERM, after handing its tasks back."""

    @classmethod
    def of(cls, error: BecError) -> Exit:
        """The status for an error."""
        from bec_core import errors

        if isinstance(error, (errors.SettingsError, errors.JobConfigError)):
            return cls.USAGE
        if isinstance(error, (errors.NotFoundError, errors.PluginError, errors.JobGone)):
            return cls.NOT_FOUND
        if isinstance(error, errors.ConflictError):
            return cls.CONFLICT
        if isinstance(error, errors.ServiceError):
            return cls.UNAVAILABLE
        return cls.FAILED
