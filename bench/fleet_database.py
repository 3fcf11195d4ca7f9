"""What a fleet costs the database: real workers of an empty job, many at once, on a PostgreSQL of its own with fsync.

Each worker has its own pool of connections, its slot, its lease keeper and its heartbeat, as on a machine of its own;
they share a process, because the load is the database's. A volume takes some seconds in which nothing happens but what
holds it: so claims, renewals and settles come faster than a fleet that works ever makes them.

Run: python bench/fleet_database.py [--workers 200] [--seconds 75] [--hold 20] [--lease 30] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import attrs
import psutil
import psycopg
from loguru import logger

from bec_core.archive import find_volumes
from bec_core.db import Database
from bec_core.job import JobType, TaskContext, WorkerSetup
from bec_core.models import TaskResult
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumConfig
from bec_core.worker import WorkerObserver
from support.services import PostgresServer, postgres_server
from support.worker_lab import QUICK, Lab

_CONNECTIONS = 2000
HOLD_S = 20.0
HEARTBEAT_S = 10.0
_OPENING = threading.Lock()


class Holder:
    """The empty job: it holds its volume for a while."""

    hold_s = HOLD_S

    def __init__(self, setup: WorkerSetup) -> None:
        pass

    def run(self, ctx: TaskContext) -> TaskResult:
        """Wait."""
        ctx.stop.wait(self.hold_s)  # type: ignore[attr-defined]
        ctx.stop.check()
        for page in ctx.volume.pages:
            ctx.page_done(page)
        return TaskResult()

    def close(self) -> None:
        """Nothing is open."""


HOLDING = JobType("checksum", ChecksumConfig, f"{__name__}:Holder", "1.0", "Holds volumes.")


class Counter(WorkerObserver):
    """Counts the volumes that all workers finished."""

    def __init__(self) -> None:
        self.done = 0

    def task_finished(self, volume: object, outcome: str, message: str = "") -> None:
        """See :class:`WorkerObserver`."""
        self.done += outcome == "done"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=75.0)
    parser.add_argument("--hold", type=float, default=HOLD_S)
    parser.add_argument("--lease", type=float, default=30.0)
    parser.add_argument("--json", type=Path, help="write the figures there, too (for bench/fleet_paper.py)")
    options = parser.parse_args()
    Holder.hold_s = options.hold
    logger.remove()
    with postgres_server() as server, tempfile.TemporaryDirectory(prefix="bec-fleet-") as folder:
        _allow_connections(server)
        dsn = server.new_database("bench")
        _run(server, dsn, Path(folder), options)


def _allow_connections(server: PostgresServer) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET max_connections = {_CONNECTIONS}".encode())
    server.stop()
    server.start()


def _run(server: PostgresServer, dsn: str, folder: Path, options: argparse.Namespace) -> None:
    own = Database(dsn, max_size=4)
    own.open()
    queues = create_queues("checksum", "postgres", database=own)
    lab = Lab(
        own, queues.tasks, queues.dead_letters, open_store((folder / "out").as_uri()), folder / "scans",
        job_type=HOLDING,
    )  # fmt: skip
    volumes = int(options.workers * (options.seconds / options.hold + 3))
    for n in range(volumes):
        place = folder / "scans" / f"v{n:05}"
        place.mkdir(parents=True)
        (place / "1.jpg").write_bytes(b"page")
    lab.ask(*find_volumes(folder / "scans").volumes)
    counter = Counter()
    quiet = attrs.evolve(
        QUICK, lease_s=options.lease, poll_wait_s=20.0, heartbeat_s=HEARTBEAT_S, shutdown_after_empty=None
    )
    stop, started = threading.Event(), threading.Semaphore(0)
    threads = [
        threading.Thread(target=_work, args=(dsn, lab, quiet, counter, stop, started))
        for _ in range(options.workers)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        started.acquire()
    _measure(server, dsn, counter, options)
    stop.set()
    for thread in threads:
        thread.join()
    own.close()


def _work(
    dsn: str,
    lab: Lab,
    options: object,
    counter: Counter,
    stop: threading.Event,
    started: threading.Semaphore,
) -> None:
    """One worker with services of its own, as another machine would have them."""
    database = Database(dsn, max_size=4)
    database.open()
    try:
        queues = create_queues("checksum", "postgres", database=database)
        mine = _SharedJob(lab, database, queues.tasks, queues.dead_letters)
        with ExitStack() as stack:
            with (
                _OPENING
            ):  # of one process and name, two at once would disturb each other's probe of the store
                worker = stack.enter_context(mine.worker(options, counter))  # type: ignore[arg-type]
            started.release()
            threading.Thread(target=lambda: (stop.wait(), worker.stop_now()), daemon=True).start()
            worker.run()
    finally:
        database.close()


class _SharedJob(Lab):
    """The lab's job with another worker's connections."""

    def __init__(self, lab: Lab, database: Database, tasks: object, dead_letters: object) -> None:
        self.__dict__.update(lab.__dict__)
        self.database, self.tasks, self.dead_letters = database, tasks, dead_letters  # type: ignore[assignment]


def _measure(server: PostgresServer, dsn: str, counter: Counter, options: argparse.Namespace) -> None:
    """Watch the server for some seconds, and say what it did."""
    with psycopg.connect(dsn, autocommit=True) as watching:
        time.sleep(min(10.0, options.hold / 2))  # the first claims come all at once
        before, done, cpu, began = _commits(watching), counter.done, _cpu_s(server), time.monotonic()
        own, pings, connections = time.process_time(), [], []
        while time.monotonic() - began < options.seconds:
            asked = time.perf_counter()
            connections.append(_open_connections(watching))
            pings.append(1000 * (time.perf_counter() - asked))
            time.sleep(1.0)
        seconds = time.monotonic() - began
        commits, volumes = _commits(watching) - before, counter.done - done
        cpu_s = _cpu_s(server) - cpu
        leases = _lost_leases(watching)
    renewals = options.workers * 3 / options.lease
    print(
        f"workers              {options.workers}; volumes held {options.hold:.0f} s, leases of {options.lease:.0f} s"
    )
    print(f"connections          {max(connections)} at most, {statistics.median(connections):.0f} usually")
    print(f"claims and settles   {volumes / seconds:.1f} of each a second")
    print(
        f"renewals             {renewals:.1f} a second by the lease; heartbeats {options.workers / HEARTBEAT_S:.1f}"
    )
    print(f"transactions         {commits / seconds:.0f} a second, all together")
    print(
        f"the server's CPU     {cpu_s / seconds:.2f} cores, {1000 * cpu_s / max(1, commits):.2f} ms a transaction"
    )
    print(f"the workers' CPU     {(time.process_time() - own) / seconds:.2f} cores, all {options.workers}")
    print(f"a look at the server {statistics.median(pings):.1f} ms (median), {max(pings):.0f} ms at most")
    print(f"leases lost          {leases}")
    print(f"load                 {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if options.json is not None:
        figures = {
            "workers": options.workers, "lease_s": options.lease, "heartbeat_s": HEARTBEAT_S,
            "connections": max(connections), "allowed": _CONNECTIONS, "volumes_per_s": volumes / seconds,
            "transactions_per_s": commits / seconds, "server_cores": cpu_s / seconds, "load": os.getloadavg()[0],
        }  # fmt: skip
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def _commits(connection: psycopg.Connection) -> int:
    connection.execute("SELECT pg_stat_clear_snapshot()")
    row = connection.execute(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    return int(row[0]) if row else 0


def _open_connections(connection: psycopg.Connection) -> int:
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    ).fetchone()
    return int(row[0]) if row else 0


def _lost_leases(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT coalesce(sum(attempt - 1), 0) FROM task_executions").fetchone()
    return int(row[0]) if row else 0


def _cpu_s(server: PostgresServer) -> float:
    """The time of the server's processes that live, and of those that have ended."""
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    parent = psutil.Process(pid)
    times = [parent.cpu_times()]
    for child in parent.children(recursive=True):
        try:
            times.append(child.cpu_times())
        except psutil.NoSuchProcess:
            continue
    return sum(t.user + t.system for t in times) + times[0].children_user + times[0].children_system


if __name__ == "__main__":
    main()
