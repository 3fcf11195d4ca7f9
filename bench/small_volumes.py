#!/usr/bin/env python3
"""What the boundaries between volumes cost: the same drawn pages as one volume, and as volumes of five pages each.

    python bench/small_volumes.py [--job ldv1|waiting] [--pages 500] [--each 5] [--page-ms 20] [--rounds 3]

A real worker with one slot, PostgreSQL with fsync, a store on disk. ``waiting`` is a job whose pages take
``--page-ms`` of waiting each, two at a time: it needs hardly any processor, so it shows the boundaries alone.
Rounds of both are played in turn; the figure is the rate over small volumes as a share of that over the single one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import attrs
from loguru import logger

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bec_core.db import Database
from bec_core.job import JobType
from bec_core.models import VolumeRef
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import CHECKSUM
from bec_core.worker import Step, WorkerObserver
from support.services import PostgresServer, postgres_server
from support.worker_lab import QUICK, Lab


class Clock(WorkerObserver):
    """From the first receipt of a message to the last one's deletion (seconds, wall clock and this process's CPU)."""

    def __init__(self) -> None:
        self.began: tuple[float, float] | None = None
        self.ended = (0.0, 0.0)

    def step(self, step: Step) -> None:
        """See :class:`WorkerObserver`."""
        now = time.perf_counter(), time.process_time()
        if step is Step.RECEIVED and self.began is None:
            self.began = now
        if step is Step.MESSAGE_DELETED:
            self.ended = now

    @property
    def seconds(self) -> tuple[float, float]:
        """Both."""
        assert self.began is not None
        return self.ended[0] - self.began[0], self.ended[1] - self.began[1]


def drawn(number: int) -> list[bytes]:
    """Pages of six lines, each on another paper."""
    import cv2

    from support.drawn import noise, written

    return [
        cv2.imencode(".jpg", noise(written(225 + n % 25, 30, height=700), 4))[1].tobytes()
        for n in range(number)
    ]


def play(
    server: PostgresServer, job: str, pages: list[bytes], each: int, name: str, page_ms: float
) -> tuple[float, float]:
    """Seconds (wall clock, CPU) of the pages in volumes of ``each``."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "scans").mkdir()
        database = Database(server.new_database(name))
        database.open()
        queues = create_queues(name, "postgres", database=database)
        store = open_store((folder / "out").as_uri())
        config = {"mapped": True, "page_ms": page_ms} if job == "waiting" else {}
        lab = Lab(
            database, queues.tasks, queues.dead_letters, store, folder / "scans", config=config, name=name,
            job_type=job_type(job),
        )  # fmt: skip
        lab.ask(*volumes(lab, pages, each))
        clock = Clock()
        lab.work(attrs.evolve(QUICK, until_drained=True, shutdown_after_empty=None, lease_s=60.0), clock)
        assert set(lab.ledger_states()) == {"done"}
        database.close()
    return clock.seconds


def volumes(lab: Lab, pages: list[bytes], each: int) -> list[VolumeRef]:
    """The pages in folders of so many."""
    starts = range(0, len(pages), each)
    return [lab.volume(f"vol{n:05}", *pages[start : start + each]) for n, start in enumerate(starts)]


def job_type(job: str) -> JobType:
    """The job's type."""
    if job == "waiting":
        return CHECKSUM
    from bec_ldv1.plugin import bec_job_types

    return next(one for one in bec_job_types() if one.name == "ldv1")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--job", choices=["ldv1", "waiting"], default="waiting")
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--page-ms", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    logger.remove()
    pages = [b"page"] * arguments.pages if arguments.job == "waiting" else drawn(arguments.pages)
    shares = []
    with postgres_server() as server:
        for n in range(arguments.rounds):
            one = play(server, arguments.job, pages, len(pages), f"one{n}", arguments.page_ms)
            small = play(server, arguments.job, pages, arguments.each, f"small{n}", arguments.page_ms)
            shares.append(one[0] / small[0])
            rates = [f"{len(pages) / wall:7.1f} pages/s, {cpu:5.2f} s of CPU" for wall, cpu in (one, small)]
            print(f"one volume {rates[0]}; volumes of {arguments.each} {rates[1]}; share {shares[-1]:.0%}")
    print(f"share            {statistics.median(shares):.0%} (median of {arguments.rounds})")
    print(f"load             {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
