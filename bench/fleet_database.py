"""What a fleet costs the database: real workers of an empty job, many at once, on a PostgreSQL of its own with fsync.

Each worker has its own pool of connections, its slot, its lease keeper and its heartbeat, as on a machine of its own;
they share a process, because the load is the database's. A volume takes some seconds in which nothing happens but what
holds it: so claims, renewals and settles come faster than a fleet that works ever makes them.

Several numbers of workers are measured one after the other: how connections grow with them is what a larger fleet's
are told from. The bench's own connections are not counted.

Run: python bench/fleet_database.py [--workers 200] [--seconds 75] [--hold 20] [--lease 30] [--json FILE]
     python bench/fleet_database.py --workers 10,20,40 --seconds 40 --hold 10 --json database.json
"""

from __future__ import annotations

import argparse
import json
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
from measuring.machine import cores, describe, load

from bec_core.archive import find_volumes
from bec_core.db import Database
from bec_core.job import JobType, TaskContext, WorkerSetup
from bec_core.models import TaskResult
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumConfig
from bec_core.worker import WorkerObserver, WorkerOptions
from support.services import PostgresServer, postgres_server
from support.worker_lab import QUICK, Lab

_CONNECTIONS = 2000
EACH = WorkerOptions().connections
"""So many a worker may open."""
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
    parser.add_argument("--workers", type=_numbers, default=[200], help="how many; several: 10,20,40")
    parser.add_argument("--seconds", type=float, default=75.0)
    parser.add_argument("--hold", type=float, default=HOLD_S)
    parser.add_argument("--lease", type=float, default=30.0)
    parser.add_argument("--json", type=Path, help="write the figures there, too (for bench/fleet_paper.py)")
    options = parser.parse_args()
    Holder.hold_s = options.hold
    logger.remove()
    with postgres_server() as server, tempfile.TemporaryDirectory(prefix="bec-fleet-") as folder:
        _allow_connections(server)
        runs = []
        for number in options.workers:
            place = Path(folder) / str(number)
            place.mkdir()
            runs.append(_run(server, server.new_database(f"bench{number}"), place, number, options))
    if options.json is not None:
        figures = {"machine": describe(), "allowed": _CONNECTIONS, "each": EACH, "runs": runs}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def _numbers(text: str) -> list[int]:
    found = [int(one) for one in text.split(",")]
    if min(found) < 1:
        raise ValueError(text)
    return found


def _allow_connections(server: PostgresServer) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET max_connections = {_CONNECTIONS}".encode())
    server.stop()
    server.start()


def _run(
    server: PostgresServer, dsn: str, folder: Path, workers: int, options: argparse.Namespace
) -> dict[str, float]:
    own = Database(dsn, max_size=EACH)
    own.open()
    queues = create_queues("checksum", "postgres", database=own)
    lab = Lab(
        own, queues.tasks, queues.dead_letters, open_store((folder / "out").as_uri()), folder / "scans",
        job_type=HOLDING,
    )  # fmt: skip
    volumes = int(workers * (options.seconds / options.hold + 3))
    for n in range(volumes):
        place = folder / "scans" / f"v{n:05}"
        place.mkdir(parents=True)
        (place / "1.jpg").write_bytes(b"page")
    lab.ask(*find_volumes(folder / "scans").volumes)
    own.close()  # each worker has its own
    counter = Counter()
    quiet = attrs.evolve(
        QUICK, lease_s=options.lease, poll_wait_s=20.0, heartbeat_s=HEARTBEAT_S, shutdown_after_empty=None
    )
    stop, started = threading.Event(), threading.Semaphore(0)
    threads = [
        threading.Thread(target=_work, args=(dsn, lab, quiet, counter, stop, started)) for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        started.acquire()
    try:
        return _measure(server, dsn, counter, workers, options)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _work(
    dsn: str,
    lab: Lab,
    options: object,
    counter: Counter,
    stop: threading.Event,
    started: threading.Semaphore,
) -> None:
    """One worker with services of its own, as another machine would have them."""
    database = Database(dsn, max_size=EACH)
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


def _measure(
    server: PostgresServer, dsn: str, counter: Counter, workers: int, options: argparse.Namespace
) -> dict[str, float]:
    """Watch the server for some seconds, and say what it did; what bench/fleet_paper.py reads of it."""
    before_load = load()
    with psycopg.connect(dsn, autocommit=True) as watching:
        time.sleep(min(10.0, options.hold / 2))  # the first claims come all at once
        before, done, cpu, began = _commits(watching), counter.done, _cpu_s(server), time.monotonic()
        own, pings, connections = time.process_time(), [], []
        while time.monotonic() - began < options.seconds:
            asked = time.perf_counter()
            backends = _backends(watching)
            connections.append(len(backends))
            pings.append(1000 * (time.perf_counter() - asked))
            time.sleep(1.0)
        seconds = time.monotonic() - began
        asked_by_us = len(pings) + 2  # a look is a transaction, as is each half of counting them
        commits, volumes = _commits(watching) - before - asked_by_us, counter.done - done
        cpu_s = _cpu_s(server) - cpu
        leases = _lost_leases(watching)
        backend_mib = statistics.mean(map(_own_mib, backends))
    renewals = workers * 3 / options.lease
    print(
        f"workers              {workers}; volumes held {options.hold:.0f} s, leases of {options.lease:.0f} s"
    )
    print(f"connections          {max(connections)} at most, {statistics.median(connections):.0f} usually")
    print(f"claims and settles   {volumes / seconds:.1f} of each a second")
    print(
        f"renewals             {renewals:.1f} a second by the lease; heartbeats {workers / HEARTBEAT_S:.1f}"
    )
    print(f"transactions         {commits / seconds:.0f} a second, all together")
    print(
        f"the server's CPU     {cpu_s / seconds:.2f} cores, {1000 * cpu_s / max(1, commits):.2f} ms a transaction"
    )
    print(f"the workers' CPU     {(time.process_time() - own) / seconds:.2f} cores, all {workers}")
    print(f"a look at the server {statistics.median(pings):.1f} ms (median), {max(pings):.0f} ms at most")
    print(f"a connection's own   {backend_mib:.1f} MiB of the server's memory")
    print(f"leases lost          {leases}")
    print(
        f"load                 {before_load:.1f} before, {load():.1f} at the end, on {cores()} cores",
        flush=True,
    )
    return {
        "workers": workers, "lease_s": options.lease, "heartbeat_s": HEARTBEAT_S, "seconds": seconds,
        "connections": max(connections), "connections_usual": statistics.median(connections),
        "backend_mib": backend_mib, "volumes_per_s": volumes / seconds, "leases_lost": leases,
        "transactions_per_s": commits / seconds, "server_cores": cpu_s / seconds, "load": load(),
    }  # fmt: skip


def _commits(connection: psycopg.Connection) -> int:
    connection.execute("SELECT pg_stat_clear_snapshot()")
    row = connection.execute(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    return int(row[0]) if row else 0


def _backends(connection: psycopg.Connection) -> list[int]:
    """The server's processes of all connections but this one."""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return [int(row[0]) for row in rows]


def _own_mib(pid: int) -> float:
    """Memory that goes when this process ends; 0.0 if it has."""
    try:
        return float(psutil.Process(pid).memory_full_info().uss) / 2**20
    except psutil.NoSuchProcess:
        return 0.0


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
