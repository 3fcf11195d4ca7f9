#!/usr/bin/env python3
"""What a task with no work costs the worker: volumes of one tiny page, a job that only hashes it.

    python bench/task_overhead.py [--tasks 300] [--folder DIR]

Everything else is in earnest: PostgreSQL with fsync on, claims, leases, an artifact, a marker and a row for each
task. The figure is the time from one receipt of a message to the next, with one slot; beside it what one
fsync costs in that folder, and what does not depend on the machine's load: how many of them, and how many commits
and syncs of the server's log, a task takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import attrs
from loguru import logger

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bec_core.db import Database
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.worker import Step, WorkerObserver
from support.services import postgres_server
from support.worker_lab import QUICK, Lab


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument(
        "--folder", type=Path, help="where artifacts and volumes go (default: a temporary folder)"
    )
    arguments = parser.parse_args()
    logger.remove()
    with postgres_server() as server, tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        (folder / "scans").mkdir()
        database = Database(server.new_database("bench"))
        database.open()
        queues = create_queues("checksum", "postgres", database=database)
        store = open_store((folder / "out").as_uri())
        lab = Lab(database, queues.tasks, queues.dead_letters, store, folder / "scans")
        lab.ask(*[lab.volume(f"vol{n:05}", b"page") for n in range(arguments.tasks)])
        before = fsync_ms(folder)
        clock, log_before, syncs = Clock(), log_of(lab), counted_syncs()
        lab.work(attrs.evolve(QUICK, until_drained=True, shutdown_after_empty=None), clock)
        log_after = log_of(lab)
        assert lab.ledger_states() == {"done": arguments.tasks}
        database.close()
        after = fsync_ms(folder)
    wall = [1000 * (b[0] - a[0]) for a, b in pairwise(clock.received)]
    cpu = [1000 * (b[1] - a[1]) for a, b in pairwise(clock.received)]
    print(f"tasks            {arguments.tasks}")
    print(f"per task         {statistics.median(wall):.1f} ms (mean {statistics.mean(wall):.1f} ms)")
    print(f"CPU of worker    {statistics.median(cpu):.1f} ms a task")
    commits, log_syncs = ((b - a) / arguments.tasks for a, b in zip(log_before, log_after, strict=True))
    print(f"on the server    {commits:.1f} transactions and {log_syncs:.1f} syncs of the log a task")
    print(f"of the worker    {syncs[0] / arguments.tasks:.1f} syncs of files and folders a task")
    print(f"one fsync        {before:.2f} ms before, {after:.2f} ms after")
    print(f"load             {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


class Clock(WorkerObserver):
    """Notes when each message was received: wall clock and this process's CPU time, in seconds."""

    def __init__(self) -> None:
        self.received: list[tuple[float, float]] = []

    def step(self, step: Step) -> None:
        """See :class:`WorkerObserver`."""
        if step is Step.RECEIVED:
            self.received.append((time.perf_counter(), time.process_time()))


def log_of(lab: Lab) -> tuple[int, int]:
    """How many transactions were committed, and how often the log was synced."""
    with lab.database.connection() as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
    time.sleep(1.5)  # every session tells its figures once a second
    ((commits, syncs),) = lab.rows(
        "SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),"
        " (SELECT wal_sync FROM pg_stat_wal)"
    )
    return commits, syncs


def counted_syncs() -> list[int]:
    """A count of this process's syncs from now on."""
    real, count = os.fsync, [0]

    def fsync(descriptor: int) -> None:
        count[0] += 1
        real(descriptor)

    os.fsync = fsync
    return count


def fsync_ms(folder: Path) -> float:
    """What one small write and fsync costs there, in milliseconds (the median of 50)."""
    times = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(50):
            started = time.perf_counter()
            file.write(b"x" * 512)
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return 1000 * sorted(times)[25]


if __name__ == "__main__":
    main()
