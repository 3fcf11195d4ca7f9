"""Which process a worker is, so that a later one on the same machine can tell that it died."""

from __future__ import annotations

from pathlib import Path

import psutil


def own_token() -> str:
    """This process's identity: boot, pid namespace, pid and start time."""
    me = psutil.Process()
    return f"{_machine()}/{me.pid}/{_started(me)}"


def is_dead(token: str) -> bool:
    """True if the token's process is known to have ended: it was of this machine's boot and pid namespace.

    A process of another boot or container is never known to be dead.
    """
    machine, _, process = token.partition("/")
    if machine != _machine():
        return False
    pid, _, created = process.partition("/")
    try:
        other = psutil.Process(int(pid))
        return _started(other) != created or other.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _started(process: psutil.Process) -> str:
    """When the process started, by a clock that nobody sets: ticks since the machine's boot.

    What psutil says is counted from the wall clock, so after a jump of that clock a living process would
    look like another one, and be taken for dead.
    """
    stat = Path(f"/proc/{process.pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):  # not Linux, or it has just ended
        return f"{process.create_time():.2f}"


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    if boot.exists() and namespace.exists():
        return f"{boot.read_text().strip()}:{namespace.readlink().name}"
    return f"{psutil.boot_time():.0f}"
