"""The process that waits beside an embedded server that nobody uses, until it has been idle for long enough.

Run by its path, with the standard library alone (11 MB), for it does nothing but sleep:

    python -I -S waiting.py LOCK DATA IDLE_S

LOCK is the number of the open lock file that says that somebody waits; whoever leaves the server touches it. DATA is
PostgreSQL's data directory. At the end it becomes :mod:`bec_core.db.embedded.ending`, which looks, alone, whether the
server is to be stopped: when nobody has left it for IDLE_S seconds, when there is no server any more, or on SIGTERM,
SIGINT and SIGHUP. If the data directory was removed under the server, it is ended here.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

_LOOK_S = 5.0


class Told(BaseException):
    """A signal came."""


def wait(lock: int, data: Path, idle_s: float) -> bool:
    """Wait until it is time to look at the server; False: it has no home any more, and was ended."""
    seen, since = os.fstat(lock).st_mtime_ns, time.monotonic()
    pid = server_of(data)
    while time.monotonic() - since < idle_s:
        time.sleep(min(_LOOK_S, idle_s / 5))
        found = server_of(data)
        if pid is not None and pid != found and is_homeless(pid, data):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)  # at once: there is nothing left to be written
            return False
        if found is None:
            return True
        pid = found
        touched = os.fstat(lock).st_mtime_ns
        if touched != seen:
            seen, since = touched, time.monotonic()
    return True


def server_of(data: Path) -> int | None:
    """The process that ``postmaster.pid`` names."""
    with suppress(OSError, ValueError):
        return abs(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
    return None


def is_homeless(pid: int, data: Path) -> bool:
    """Whether the process still works in the data directory, and that was removed (only Linux tells)."""
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/cwd") == f"{data} (deleted)"  # noqa: PTH115 - the path is no path
    return False


def main() -> None:
    """Wait, then end the server."""
    lock, data, idle_s = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

    def told(number: int, frame: FrameType | None) -> None:
        raise Told

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told)
    os.set_inheritable(lock, True)
    now = False
    try:
        going_on = wait(lock, data, idle_s)
    except Told:
        going_on = now = True
    if going_on:
        touched = 0 if now else os.fstat(lock).st_mtime_ns
        ending = ("-m", "bec_core.db.embedded.ending", str(lock), str(data.parent), str(idle_s), str(touched))
        os.execv(sys.executable, (sys.executable, *ending))


if __name__ == "__main__":
    main()
