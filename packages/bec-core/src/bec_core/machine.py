"""What of this machine is this process's: cores and memory, by its affinity and its control group's bounds.

A container on a large machine sees all of its cores and all of its memory; what it may use of them stands in its
control group, if anywhere.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def cores() -> int:
    """How many processors this process may use at a time; what a quota leaves of one counts as one."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(there, math.ceil(min(_bounds("cpu.max", _quota), default=there))))


def memory_bytes() -> int:
    """How many bytes of memory this process and its children may have together."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(there, int(min(_bounds("memory.max", int), default=there)))


def _bounds(name: str, read: Callable[[str], float]) -> Iterator[float]:
    """What the process's control group and those above it say (version 2; in a container the own one is the root)."""
    try:
        own = next(line for line in _OWN.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return
    group = _GROUPS / own.removeprefix("0::").lstrip("/")
    for place in (group, *group.parents):
        if not place.is_relative_to(_GROUPS):
            return
        try:
            said = (place / name).read_text().strip()
        except OSError:
            continue
        if not said.startswith("max"):
            yield read(said)


def _quota(said: str) -> float:
    """Cores, of microseconds in so many microseconds."""
    quota, period = said.split()
    return int(quota) / int(period)
