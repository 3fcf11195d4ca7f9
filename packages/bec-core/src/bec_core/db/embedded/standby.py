"""Keeping an idle server for whoever comes next: one small process waits beside it, and stops it in the end.

The lock file says whether somebody waits: a waiting process inherits it, open and locked, so that there is never a
moment at which nobody has it, and the kernel lets go of it if that process is killed. Then the server stays until
its next last user leaves. Look and start only while holding the exclusive start lock.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from attrs import frozen

from bec_core.db.embedded import waiting
from bec_core.db.embedded.accounts import Account
from bec_core.db.embedded.files import open_for

IDLE_S = 300.0
"""How long a server stays for a person at a terminal, unless the settings say otherwise."""


def idle_s(setting: float | None) -> float:
    """How long a server is to stay after its last user, in seconds.

    Without a setting it stays only for a person at a terminal: a script, a service or a container that has ended must
    leave nothing behind. Nor does it stay if this process is a container's first, or was started by that: with them
    everything ends, without being asked.
    """
    if setting is not None:
        return max(0.0, setting)
    somebody_there = os.isatty(0) and os.isatty(2)
    return IDLE_S if somebody_there and os.getpid() != 1 and os.getppid() != 1 else 0.0


_started: list[subprocess.Popen[bytes]] = []
"""Those that this process has started, so that a process that lives on can reap the ones that have ended."""


@frozen
class Standby:
    """The waiting process of the server in ``root``."""

    account: Account
    root: Path

    @property
    def lock(self) -> Path:
        """The file that says that somebody waits, and when the server was last left."""
        return self.root / "standby.lock"

    def arrange(self, idle_s: float) -> None:
        """See to it that somebody waits beside the server from now on.

        Raises:
            OSError: no process can be started.
        """
        lock = open_for(self.account, self.lock)
        try:
            os.utime(lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # somebody does, and sees that it was touched
            with self.account.aside():  # the account may be unable to reach Python
                started = subprocess.Popen(
                    self._command(lock, idle_s),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[lock],
                    start_new_session=True,
                )
            _started[:] = [one for one in [*_started, started] if one.poll() is None]
        finally:
            os.close(lock)  # not unlocked: the process that waits has the same open file

    def become(self, lock: int, idle_s: float) -> None:
        """Wait again in this process's place."""
        os.set_inheritable(lock, True)
        command = self._command(lock, idle_s)
        os.execv(command[0], command)

    def _command(self, lock: int, idle_s: float) -> list[str]:
        """Run by path and alone, so that the process that waits is small."""
        program = Path(waiting.__file__)
        return [sys.executable, "-I", "-S", str(program), str(lock), str(self.root / "data"), str(idle_s)]
