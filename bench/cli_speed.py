"""The command line's speed: starting, a short run, statistics and listings over a million tasks, enqueueing 40,000.

    python bench/cli_speed.py [start] [run] [stats] [listings] [enqueue-postgres] [enqueue-sqs] [--tasks 1000000]
                              [--against CHECKOUT]

``listings`` gives the server's processor time of each query, which other programs of the machine disturb least.

Everything runs against services of its own: a PostgreSQL server with fsync on, and for SQS a server in a
process of its own that takes 10 ms for every call. Prints each figure beside its goal, and the plan of the query.

``--against`` a checkout of another commit: ``start`` and ``run`` are done by both in turn, pair by pair, and the median
of the pairs' ratios is told; on a machine that does other work, that is what can be believed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Process, Queue
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from bec_core.db.connection import Connection, connect
from bec_core.db.deadlines import Watchdog
from support.services import PostgresServer, postgres_server

TASKS = 1_000_000
VOLUMES = 40_000
CALL_S = 0.010
BEC = [sys.executable, "-m", "bec_cli"]
_BYTECODE = "PYTHONDONTWRITEBYTECODE"


def ours() -> dict[str, str]:
    """This environment without settings of ours, and with Python's bytecode kept, as it is where bec is installed.

    (Where it is not, each start compiles what it imports of bec: a fifth of ``bec jobs list``.)
    """
    left_out = ("BEC_", "AWS_", _BYTECODE)
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def report(what: str, seconds: float, goal: float) -> None:
    """Print a figure beside its goal."""
    verdict = "ok" if seconds <= goal else "TOO SLOW"
    print(f"{what}: {seconds * 1000:.0f} ms (goal {goal * 1000:.0f} ms) {verdict}")


def timed(command: list[str], environment: dict[str, str], repeat: int) -> list[float]:
    """How long the command took each time (seconds), sorted; prints its mean processor time, which other
    programs of the machine disturb less."""
    times = []
    before = os.times()
    for _ in range(repeat):
        started = time.perf_counter()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"  ({' '.join(command[2:5])} ...: {1000 * spent / repeat:.0f} ms of processor time)")
    return sorted(times)


def environment_for(server: PostgresServer, database: str, **more: str) -> dict[str, str]:
    """The environment of a ``bec`` over this database."""
    return {
        **ours(),
        "BEC_SQL_HOST": str(server.folder),
        "BEC_SQL_USER": "postgres",
        "BEC_SQL_DATABASE": database,
        "BEC_QUEUE": "postgres",
        "BEC_DEST_URL": "file:///tmp/bec-bench-artifacts",
        **more,
    }


def start() -> None:
    """What it takes to start."""
    times = timed([*BEC, "--help"], ours(), 15)
    report("bec --help, median of 15", statistics.median(times), 0.150)
    times = timed([*BEC, "plugins", "list"], ours(), 9)
    print(f"bec plugins list, median of 9: {statistics.median(times) * 1000:.0f} ms")


PAGES = 5
SAMPLES = Path(__file__).parents[1] / "samples"
PHASES = Path(__file__).parent / "run_phases.py"


def run() -> None:
    """The phases of ``bec run ldv1`` over five pages: in a new BEC_HOME, in an old one, with a server kept up."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = _desk(place)
        _phases("in a new BEC_HOME", place, environment, goal=None)
        _phases("again", place, environment, goal=5.0)
        environment["BEC_DATABASE_IDLE_S"] = "600"
        _phases("again", place, environment, goal=5.0)
        _phases("again, the server kept up", place, environment, goal=5.0)
        times = timed([*BEC, "jobs", "list"], environment, 9)
        report("bec jobs list, the server kept up, median of 9", statistics.median(times), 0.500)
        subprocess.run([*BEC, "db", "stop"], env=environment, check=True, capture_output=True)


def _desk(place: Path) -> dict[str, str]:
    """Five pages in ``scans``, and the environment of a ``bec`` of its own beside them."""
    place.chmod(0o755)  # root's server runs as another account
    (place / "scans").mkdir()
    for number, page in enumerate(sorted(SAMPLES.rglob("0*.jpg"))[:PAGES], 1):
        shutil.copyfile(page, place / "scans" / f"{number:04}.jpg")
    return {**ours(), "BEC_HOME": str(place / "home")}


def _phases(what: str, place: Path, environment: dict[str, str], *, goal: float | None) -> None:
    """Run once, and tell each phase: from, to, seconds, thread."""
    shutil.rmtree(place / "out", ignore_errors=True)
    seen = place / "phases.json"
    began = time.time()
    command = [sys.executable, str(PHASES), str(seen), str(began), "--", *_run_words(place)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    whole = time.time() - began
    found = json.loads(seen.read_text())
    print(f"bec run over {PAGES} pages {what}: {found['processor_s']:.1f} s of processor time")
    for name, since, until, thread in sorted(found["phases"], key=lambda one: one[1]):
        print(f"  {since:7.2f} {until:7.2f} {until - since:6.2f}  {thread.partition('_')[0]:13} {name}")
    if goal is None:
        print(f"  {whole:.2f} s in all")
    else:
        report("  in all", whole, goal)


def _run_words(place: Path) -> list[str]:
    return ["run", "ldv1", str(place / "scans"), "--out", str(place / "out")]


def against(checkout: Path, parts: list[str]) -> None:
    """This checkout and another in turn, with the same Python and the same dependencies."""
    # who waited beside the server that was stopped may still look there
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        environment = _desk(place)
        if "start" in parts:
            _compare(checkout, ["--help"], environment, 15)
            _compare(checkout, ["jobs", "list"], environment, 9)
            create = [*BEC, "jobs", "create", "--name", "start", "--type", "ldv1"]
            subprocess.run(create, env=environment, check=True, capture_output=True)
            worker = ["worker", "--job-name", "start", "--poll-wait", "0", "--shutdown-after-empty", "1"]
            _compare(checkout, worker, environment, 5)
            kept_up = {**environment, "BEC_DATABASE_IDLE_S": "600"}
            _compare(checkout, ["jobs", "list"], kept_up, 15)
            _compare(checkout, ["jobs", "stats", "start"], kept_up, 15)
            subprocess.run([*BEC, "db", "stop"], env=environment, check=True, capture_output=True)
        if "run" in parts:
            _compare(checkout, _run_words(place), environment, 5, place / "out")
            _compare(checkout, _run_words(place), environment, 3, place / "out", place / "home")


def _compare(
    checkout: Path, words: list[str], environment: dict[str, str], pairs: int, *removed: Path
) -> None:
    """Pairs of a call by the other and by this checkout; ``removed`` goes before each. The first pair doesn't count."""
    sides = [
        {**environment, "PYTHONPATH": ":".join(str(one) for one in sorted(root.glob("packages/*/src")))}
        for root in (checkout.resolve(), Path(__file__).parents[1])
    ]
    wall: list[list[float]] = [[], []]
    processor: list[list[float]] = [[], []]
    for number, side in enumerate([0, 1] * (pairs + 1)):
        for path in removed:
            shutil.rmtree(path, ignore_errors=True)
        before, began = os.times(), time.perf_counter()
        subprocess.run([*BEC, *words], env=sides[side], check=True, capture_output=True)
        took, after = time.perf_counter() - began, os.times()
        if number < 2:  # its bytecode is compiled
            continue
        wall[side].append(took)
        processor[side].append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    kept_up = ", the server kept up" if "BEC_DATABASE_IDLE_S" in environment else ""
    gone = f", without {' and '.join(path.name for path in removed)}" if removed else ""
    print(f"bec {' '.join(words[:2])}{kept_up}{gone}, {pairs} pairs, load {os.getloadavg()[0]:.0f}:")
    for name, (theirs, ours) in (("wall clock", wall), ("processor", processor)):
        ratio = statistics.median(b / a for a, b in zip(theirs, ours, strict=True))
        print(
            f"  {name}: {statistics.median(theirs):.2f} s before, {statistics.median(ours):.2f} now ({ratio:.2f})"
        )


def stats() -> None:
    """Statistics over a million tasks."""
    from bec_core.db import ledger
    from bec_core.db.reads import statistics as sql
    from bec_core.db.reads.pace import pace

    with postgres_server() as server:
        dsn = server.new_database("stats")
        environment = environment_for(server, "stats")
        subprocess.run(
            [*BEC, "jobs", "create", "--name", "ldv1"], env=environment, check=True, capture_output=True
        )
        with psycopg.connect(dsn, autocommit=True) as connection:
            _fill(connection)
            plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql.TOTALS % 1}".encode()).fetchall()
            times = []
            for _ in range(9):
                started = time.perf_counter()
                sql.totals(connection, 1)
                pace(connection, 1)
                ledger.counts(connection, 1)
                times.append(time.perf_counter() - started)
        print("\n".join(row[0] for row in plan))
        report(f"the queries over {TASKS:,} tasks, median of 9", statistics.median(times), 0.300)
        whole = timed([*BEC, "jobs", "stats", "ldv1"], environment, 7)
        report(f"bec jobs stats over {TASKS:,} tasks, median of 7", statistics.median(whole), 0.300)
        whole = timed([*BEC, "jobs", "list"], environment, 7)
        print(
            f"bec jobs list (the same without the figures), median of 7: {statistics.median(whole) * 1000:.0f} ms"
        )
        whole = timed([*BEC, "top", "--once"], environment, 3)
        print(f"bec top --once over {TASKS:,} tasks, median of 3: {statistics.median(whole) * 1000:.0f} ms")


def listings() -> None:
    """The server's processor time of every listing's query."""
    with postgres_server() as server:
        dsn = server.new_database("listings")
        environment = environment_for(server, "listings")
        subprocess.run(
            [*BEC, "jobs", "create", "--name", "ldv1"], env=environment, check=True, capture_output=True
        )
        reader = ["--name", "ocr", "--type", "ocrv1", "--input", "lines=ldv1"]
        subprocess.run([*BEC, "jobs", "create", *reader], env=environment, check=True, capture_output=True)
        with psycopg.connect(dsn, autocommit=True) as filling:  # without a worker's deadlines
            _fill(filling)
            _block(filling)
        with connect(dsn, Watchdog()) as connection:
            connection.autocommit = True
            connection.execute("SET max_parallel_workers_per_gather = 0")
            for what, query in _listings().items():
                times = [_spent(connection, query) for _ in range(3)]
                report(f"{what}, median of 3", statistics.median(times), 0.300)


def _spent(connection: Connection, query: Callable[[Connection], object]) -> float:
    """Seconds of processor time that the server's process takes for it."""

    def spent() -> float:
        fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = spent()
    query(connection)
    return spent() - before


def _listings() -> dict[str, Callable[[Connection], object]]:
    from bec_core.db import backlog, blocking, ledger, left, stale
    from bec_core.db.reads import (
        brake,
        failures,
        health,
        overview,
        pace,
        throughput,
        volume_list,
        volume_search,
        windows,
        worker_list,
    )
    from bec_core.db.reads import statistics as sql
    from bec_core.models import TaskStatus

    return {
        "jobs stats: totals": lambda c: sql.totals(c, 1),
        "jobs stats: workers' seconds": lambda c: sql.worker_seconds(c, 1),
        "jobs stats: pages that wait": lambda c: sql.pages_waiting(c, 1),
        "jobs stats: stages": lambda c: sql.stages(c, 1, latest=1000),
        "jobs stats: metrics": lambda c: sql.metrics(c, 1, [("lines", None)]),
        "jobs stats: pace": lambda c: pace.pace(c, 1),
        "jobs stats: ledger": lambda c: ledger.counts(c, 1),
        "jobs tasks": lambda c: sql.recent_tasks(c, 1, limit=20),
        "jobs tasks --status running": lambda c: sql.recent_tasks(c, 1, limit=20, status=TaskStatus.RUNNING),
        "jobs tasks --status terminal_failed": lambda c: sql.recent_tasks(
            c, 1, limit=20, status=TaskStatus.TERMINAL_FAILED
        ),
        "errors list": lambda c: failures.failed_tasks(c, None),
        "errors list --job-name": lambda c: failures.failed_tasks(c, 1),
        "errors list --error-type, of none": lambda c: failures.failed_tasks(c, 1, error_type="None"),
        "errors list --fingerprint": lambda c: failures.failed_tasks(c, 1, fingerprint="f3"),
        "errors top": lambda c: failures.groups(c, 1),
        "errors pages": lambda c: failures.tasks_with_page_errors(c, 1),
        "volumes list": lambda c: volume_list.volumes(c, limit=50),
        "volumes list, the last ones of a prefix": lambda c: volume_list.volumes(
            c, beginning=f"W{TASKS // 20 - 1}", limit=50
        ),
        "volumes list --job-name": lambda c: volume_list.volumes(c, job_id=1, limit=50),
        "volumes list --status terminal_failed": lambda c: volume_list.volumes(
            c, job_id=1, status="terminal_failed", limit=50
        ),
        "volumes list --status running": lambda c: volume_list.volumes(
            c, job_id=1, status="running", limit=50
        ),
        "volumes show": lambda c: volume_list.tasks(c, 17),
        "workers list": lambda c: worker_list.workers(c, 1, seen_within_s=3600, limit=50),
        "top: last errors": lambda c: overview.last_errors(c, limit=10),
        "top: paces": lambda c: pace.paces(c),
        "health": lambda c: health.figures(
            c, 1, at_work_within_s=600, given_up_within_s=600, ended_within_s=600, latest=20, before=1000
        ),
        "the brake's look": lambda c: brake.ended(c, 1, latest=20, nobodys=["RuntimeFault"]),
        "a worker's look at what is left": lambda c: left.left(c, 1),
        "the feeder's figures": lambda c: backlog.backlog(c, 1),
        "a reader's blocked volumes, by what they wait for": lambda c: blocking.blocked_on(c, 2),
        "a reader's blocked volumes, those that are ready": lambda c: blocking.blocked(c, 2),
        "volumes out of date, by two recipes": lambda c: stale.count_stale(c, 1),
        "the estimate's stretches": lambda c: windows.windows(c, 1, window_s=300, number=12, alive_s=45),
        "bec serve: a day's pages": lambda c: throughput.stretches(c, 1, stretch_s=1800, number=48),
        "bec serve: a month's pages": lambda c: throughput.stretches(c, 1, stretch_s=43200, number=60),
        "bec serve: the slowest of the last 1,000": lambda c: throughput.slowest(c, 1, latest=1000, limit=10),
        "bec serve: a worker's totals": lambda c: worker_list.totals(c, 7),
        "volumes find": lambda c: volume_search.search(c, 1, limit=50),
        "volumes find, sorted by a metric": lambda c: volume_search.search(c, 1, by="lines", limit=50),
        "volumes find, the last page": lambda c: volume_search.search(c, 1, limit=50, offset=TASKS - 50),
        "volumes find, by two bounds of a metric": lambda c: volume_search.search(
            c, 1, conditions=[volume_search.Condition("lines", 1900, 2000)], limit=50
        ),
        "volumes find --state failed": lambda c: volume_search.search(c, 1, states=["failed"], limit=50),
        "volumes find, by the beginning of an id": lambda c: volume_search.search(c, 1, text="I9", limit=50),
    }


def _fill(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    connection.execute(
        "INSERT INTO volumes (bdrc_w_id, bdrc_i_id, nb_images)"
        " SELECT 'W' || n / 20, 'I' || n, 200 FROM generate_series(1, %s) n",
        (TASKS,),
    )
    connection.execute(
        """
        INSERT INTO task_executions (job_id, volume_id, s3_etag, version, status, started_at, done_at, total_images,
                                     nb_errors, total_duration_ms, avg_duration_per_page_ms, wall_clock_duration_ms,
                                     stage_ms, errors_by_stage, epoch, config_revision, plugin_version,
                                     error_stage, error_type, error_message, error_fingerprint)
        SELECT 1, id, decode(md5(id::text), 'hex'), 'abcdef',
               CASE WHEN id %% 100 = 0 THEN 'terminal_failed' ELSE 'done' END::task_status,
               now() - make_interval(secs => (%s - id) * 10.0), now() - make_interval(secs => (%s - id) * 10.0 - 8),
               200, id %% 7, 15000 + id %% 1000, 75, 4000,
               '{"read": 1234.5, "decode": 2345.6, "tiles": 345.6, "engine": 3456.7, "contours": 456.7}',
               '{"decode": 2}', 1, 1, '0.1.0',
               CASE WHEN id %% 100 = 0 THEN 'run' END, CASE WHEN id %% 100 = 0 THEN 'KeyError' END,
               CASE WHEN id %% 100 = 0 THEN 'nobody thought of this' END,
               CASE WHEN id %% 100 = 0 THEN 'f' || id / 100 %% 7 END
        FROM volumes
        """,
        (TASKS, TASKS),
    )
    connection.execute(
        "INSERT INTO ledger (job_id, volume_id, source, state, sent_at)"
        " SELECT 1, volume_id, 'bdrc', CASE WHEN status = 'done' THEN 'done' ELSE 'failed' END, now()"
        " FROM task_executions"
    )
    _measure(connection)
    connection.execute("VACUUM ANALYZE")


def _measure(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Every result has its figures, and one in fifty is by an older recipe."""
    connection.execute(
        "INSERT INTO job_recipes (job_id, recipe, contents, declared_at)"
        " VALUES (1, 'older', '{}', now() - interval '1 day'), (1, 'newer', '{}', now())"
    )
    connection.execute(
        """
        UPDATE standing_results SET
            recipe = CASE WHEN volume_id % 50 = 0 THEN 'older' ELSE 'newer' END,
            metrics = jsonb_build_object('verdict', volume_id % 3, 'suspicious', volume_id % 41,
                                         'blank', volume_id % 13, 'lines_a_page', (volume_id % 97) / 7.0,
                                         'lines', 1800 + volume_id % 977,
                                         'pages', 300, 'confidence', (volume_id % 1000) / 1000.0)
        """
    )
    connection.execute("VACUUM FULL standing_results")


def _block(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """The second job, which reads the first, is asked for each 25th volume; what has failed there stays blocked."""
    connection.execute(
        "INSERT INTO ledger (job_id, volume_id, source, state)"
        " SELECT 2, id, 'bdrc', 'blocked' FROM volumes WHERE id % 25 = 0"
    )
    connection.execute("ANALYZE ledger")


def _volume_file(folder: Path) -> Path:
    file = folder / "volumes.txt"
    file.write_text("".join(f"W{n // 20},I{n:06d}\n" for n in range(VOLUMES)))
    return file


def enqueue_postgres() -> None:
    """40,000 volumes into the queue of one machine."""
    with postgres_server() as server, tempfile.TemporaryDirectory() as folder:
        server.new_database("enqueue")
        environment = environment_for(server, "enqueue", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
        subprocess.run(
            [*BEC, "jobs", "create", "--name", "ldv1"], env=environment, check=True, capture_output=True
        )
        _enqueue(environment, Path(folder), "PostgreSQL", goal=5.0)


def _enqueue(environment: dict[str, str], folder: Path, kind: str, *, goal: float) -> None:
    command = [*BEC, "queue", "enqueue", "--job-name", "ldv1", "--file", str(_volume_file(folder))]
    report(f"enqueue {VOLUMES:,} volumes on {kind}", timed(command, environment, 1)[0], goal)
    print(f"again, all skipped: {timed(command, environment, 1)[0] * 1000:.0f} ms")


class _SlowSqs(BaseHTTPRequestHandler):
    """The few calls of SQS that enqueueing makes, each after :data:`CALL_S`."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: in two, they cost 40 ms more
    sent = 0
    lock = threading.Lock()

    def do_POST(self) -> None:
        """Answer a call."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.headers["X-Amz-Target"].rpartition(".")[2]
        time.sleep(CALL_S)
        reply: dict[str, object] = {
            "QueueUrl": f"http://127.0.0.1:{self.server.server_port}/1/bec_ldv1_tasks"
        }  # type: ignore[attr-defined]
        if action == "GetQueueAttributes":
            reply = {"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:1:bec_ldv1_dlq"}}
        elif action == "SendMessageBatch":
            reply = {
                "Successful": [
                    {
                        "Id": entry["Id"],
                        "MessageId": uuid.uuid4().hex,
                        "MD5OfMessageBody": _md5(entry["MessageBody"]),
                    }
                    for entry in request["Entries"]
                ]
            }
            with self.lock:
                type(self).sent += len(request["Entries"])
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


def _md5(text: str) -> str:
    import hashlib

    return hashlib.md5(text.encode()).hexdigest()


def _serve(port: Queue[int]) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _SlowSqs)
    port.put(server.server_port)
    server.serve_forever()


@contextmanager
def slow_sqs() -> Iterator[str]:
    """The URL of an SQS that takes its time."""
    port: Queue[int] = Queue()
    process = Process(target=_serve, args=(port,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{port.get()}"
    finally:
        process.kill()
        process.join()


def enqueue_sqs() -> None:
    """40,000 volumes into SQS."""
    with postgres_server() as server, tempfile.TemporaryDirectory() as folder, slow_sqs() as url:
        server.new_database("enqueue")
        environment = environment_for(
            server, "enqueue", BEC_QUEUE="sqs", BEC_REGION="us-east-1", AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x",
        )  # fmt: skip
        subprocess.run(
            [*BEC, "jobs", "create", "--name", "ldv1"], env=environment, check=True, capture_output=True
        )
        _enqueue(environment, Path(folder), "SQS at 10 ms a call", goal=20.0)


PARTS = {
    "start": start,
    "run": run,
    "stats": stats,
    "listings": listings,
    "enqueue-postgres": enqueue_postgres,
    "enqueue-sqs": enqueue_sqs,
}


def main() -> None:
    """Measure the parts that are named."""
    global TASKS
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them", default=[*PARTS]
    )
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    arguments = parser.parse_args()
    TASKS = arguments.tasks
    if arguments.against is not None:
        against(arguments.against, arguments.parts)
        return
    for name in arguments.parts:
        PARTS[name]()


if __name__ == "__main__":
    main()
