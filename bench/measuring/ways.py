"""Pages in threads against pages in processes: the job's own worker by each number of processes, all started, in turn.

Each number has a program of its own (this file), which carries a volume once, so that everything is loaded, and again
whenever it is told to. What it keeps of finished pages, to resume, it keeps as in production.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from attrs import frozen


@frozen
class Way:
    """What a page takes by so many processes (0: by threads).

    Attributes:
        processes: how many.
        pages_per_s: by the clock.
        cpu_s: processor time of a page, of all processes.
        own_s: of it the worker's own process's: more than its interpreter's lock can be held for.
        mib: memory of all processes after it: what is theirs alone, and their share of the rest (PSS).
    """

    processes: int
    pages_per_s: float
    cpu_s: float
    own_s: float
    mib: float


def measure_ways(
    numbers: Sequence[int],
    volume: Path,
    environment: Mapping[str, str],
    rounds: int,
    said: Callable[[str], None] = print,
) -> list[Way]:
    """Each number's medians of so many rounds, in which all take turns; each round is told when it is done."""
    with ExitStack() as stack:
        programs = {number: stack.enter_context(_Program(number, volume, environment)) for number in numbers}
        found: dict[int, list[Way]] = {number: [] for number in numbers}
        for turn in range(rounds):
            for number in numbers if turn % 2 == 0 else reversed(numbers):
                way = programs[number].measure()
                found[number].append(way)
                said(f"round {turn + 1}: {in_words(way)}")
    return [_median(ways) for ways in found.values()]


def _median(ways: Sequence[Way]) -> Way:
    figures = ("pages_per_s", "cpu_s", "own_s", "mib")
    return Way(
        ways[0].processes, *(statistics.median(getattr(way, name) for way in ways) for name in figures)
    )


def in_words(way: Way) -> str:
    """A line for people."""
    who = f"{way.processes:3} processes" if way.processes else "threads      "
    return (
        f"{who}  {way.pages_per_s:7.2f} pages/s  {1000 * way.cpu_s:7.1f} CPU-ms a page, of which the worker's own"
        f" {1000 * way.own_s:6.1f} ({way.own_s / way.cpu_s:6.1%})  {way.mib:8,.0f} MiB"
    )


class _Program:
    """A program that carries the volume by so many processes whenever it is told to; ready when made."""

    def __init__(self, processes: int, volume: Path, environment: Mapping[str, str]) -> None:
        self._processes = processes
        command = [sys.executable, __file__, str(volume), "--processes", str(processes)]
        self._running = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment)
        )
        self._answer()

    def __enter__(self) -> _Program:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._running.stdin is not None
        self._running.stdin.close()
        self._running.wait()

    def measure(self) -> Way:
        """Once over the volume."""
        assert self._running.stdin is not None
        print(file=self._running.stdin, flush=True)
        return Way(self._processes, **self._answer())

    def _answer(self) -> dict[str, float]:
        assert self._running.stdout is not None
        line = self._running.stdout.readline()
        if not line:
            raise SystemExit(f"the program for {self._processes} processes ended; what it said is above")
        found: dict[str, float] = json.loads(line)
        return found


def serve(folder: Path, processes: int) -> None:
    """Carry the volume once, say so, and then once for each line of standard input."""
    from bec_core.pages.pools import PagePools
    from bec_core.testing.local import local_worker
    from bec_ldv1.plugin import bec_job_types

    (job_type,) = bec_job_types()
    config = {"processes": processes}
    pools = PagePools()
    with (
        local_worker(job_type, config) as worker,
        tempfile.TemporaryDirectory(prefix="bec-ways-") as scratch,
    ):
        try:
            for number, _ in enumerate(chain([""], sys.stdin)):
                print(
                    json.dumps(_carry(worker, job_type, config, folder, pools, Path(scratch), number)),
                    flush=True,
                )
        finally:
            pools.close()


def _carry(
    worker: Any,
    job_type: Any,
    config: Mapping[str, Any],
    folder: Path,
    pools: Any,
    scratch: Path,
    number: int,
) -> dict[str, float]:
    from bec_core.archive.folders import LocalFolder
    from bec_core.models import VolumeRef
    from bec_core.pages.processes import processor_s
    from bec_core.storage import FileStore
    from bec_core.testing.local import LocalTask
    from bec_core.worker.parts import PartsFolder, TaskParts, identity

    source = LocalFolder()
    volume = source.resolve(VolumeRef("W1TEST", "I0001", folder.resolve().as_uri()))
    parts = TaskParts(
        PartsFolder.of(FileStore(scratch / str(number)), job_type.name, volume),
        identity(volume=volume, request=0, recipe="", plugin_version=job_type.version, inputs=()),
        epoch=1,
        etags=lambda: source.page_etags(volume),
        confirm=lambda: None,
    )
    task = LocalTask(job_type, folder, config=config, parts=parts, pools=pools)
    own, others, began = time.process_time(), processor_s(), time.perf_counter()
    try:
        worker.run(task)
        pages = len(volume.pages)
        own_s = time.process_time() - own
        return {
            "pages_per_s": pages / (time.perf_counter() - began),
            "cpu_s": (own_s + processor_s() - others) / pages,
            "own_s": own_s / pages,
            "mib": _memory() / (1 << 20),
        }
    finally:
        task.release()
        parts.close()


def _memory() -> int:
    import psutil

    me = psutil.Process()
    return sum(int(one.memory_full_info().pss) for one in (me, *me.children()))


def main() -> None:
    """Serve one number of processes."""
    from loguru import logger

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, required=True)
    options = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    serve(options.folder, options.processes)


if __name__ == "__main__":
    main()
