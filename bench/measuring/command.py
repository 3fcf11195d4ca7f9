"""`bec run` as users call it, in a process of its own: its rate, processor time and memory."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

_RATE = re.compile(r"([\d.]+) pages/s$", re.MULTILINE)


@frozen
class Run:
    """What a run took.

    Attributes:
        pages_per_s: as the worker says of its volume: without start and end.
        wall_s, cpu_s: of the command, from start to end; processor time of all its processes that it waited for.
        peak_mib: the most memory that one of these had at a time.
    """

    pages_per_s: float
    wall_s: float
    cpu_s: float
    peak_mib: float


JOBS = {"ldv1": ("ldv1",), "ocrv1": ("ldv1", "ldv1,ocrv1")}
"""What is run for a job, one after the other: only the last is measured, and finds done what it reads."""


def run(volume: Path, environment: Mapping[str, str], job: str = "ldv1", config: str = "") -> Run:
    """Run a job of `JOBS` over the volume, with a home and a place for results of its own.

    ``config`` is the job's, as JSON; empty is the defaults.

    Raises:
        SystemExit: the command failed; what it said is in the message.
    """
    with tempfile.TemporaryDirectory(prefix="bec-speed-") as scratch:
        place = Path(scratch)
        place.chmod(0o755)  # root's embedded server runs as another user
        said = ("--config-text", f"{job}={config}") if config else ()
        runs = ((chain, said if job in chain.split(",") else ()) for chain in JOBS[job])
        return [_run(chain, volume, place, environment, options) for chain, options in runs][-1]


def _run(
    chain: str, volume: Path, place: Path, environment: Mapping[str, str], options: Sequence[str]
) -> Run:
    words = ("-m", "bec_cli", "run", chain, str(volume), "--out", str(place / "out"), "--no-report")
    command = [sys.executable, *words, *options]
    with (place / "log").open("w+b") as log:
        began = time.perf_counter()
        pid = os.posix_spawn(
            sys.executable,
            command,
            {**environment, "BEC_HOME": str(place / "home")},
            file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)],
        )
        _, status, used = os.wait4(pid, 0)
        wall_s = time.perf_counter() - began
        log.seek(0)
        said = log.read().decode(errors="replace")
    found = _RATE.search(said)
    if status or found is None:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}:\n{said!a}")
    return Run(float(found[1]), wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def environment_of(tree: Path) -> dict[str, str]:
    """An environment in which the packages of this source tree are used, with what is installed here."""
    sources = sorted(str(path) for path in tree.glob("packages/*/src"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sources)}
