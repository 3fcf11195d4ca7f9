"""An operator's night: ten troubles injected one by one into a running job, and what ``bec health`` says each time.

Two workers and a feeder run as processes, over PostgreSQL, SQS and S3 (moto's); everything is done with ``bec`` itself.
What is said is written into docs/an-operators-night.md, whose prose is written by hand.

Run: python bench/night.py [--write] [--only NAME …]     (about eight minutes)
Exit status 0 only if each trouble was told as it must be, and every volume is done exactly once at the end.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import boto3
import psutil
import psycopg
from attrs import define, field

from bec_core.testing.checksum_job import Trouble
from support.bad_network import Fault, FaultyProxy
from support.cli import install_checksum_plugin, write_archive_volume
from support.imds_server import Metadata, imds_server
from support.places import ROOT
from support.services import PostgresServer, moto_server, postgres_server

PAGE = ROOT / "docs" / "an-operators-night.md"
JOB = "night"
HEALTH = (
    "--workers-gone", "20s", "--feeder-gone", "20s", "--standstill", "20s", "--latest", "20",
)  # fmt: skip
WELL = "nothing"
DOWN = "down"
STATUS = {WELL: 0, DOWN: 5}
PATIENCE_S = 180.0

_BROKEN = """
from attrs import evolve
from bec_core import hookimpl
from bec_core.testing.checksum_job import CHECKSUM, ChecksumWorker

class Broken(ChecksumWorker):
    def run(self, ctx):
        return self.table[ctx.volume.pages[0].filename]

@hookimpl
def bec_job_types():
    return [evolve(CHECKSUM, worker="bec_checksum_plugin:Broken")]
"""


@define
class Night:
    """The job's services and processes, and what was said so far."""

    folder: Path
    server: PostgresServer
    proxy: FaultyProxy
    moto: str
    machines: dict[str, Metadata]
    processes: dict[str, subprocess.Popen[bytes]] = field(factory=dict)
    asked: int = 0
    told: dict[str, list[str]] = field(factory=dict)

    # -- bec, and its processes --------------------------------------------------------------------------

    def environment(self, machine: str, release: str = "release") -> dict[str, str]:
        """What a process on this machine gets, with this release of the job type."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BEC_", "AWS_"))}
        return kept | {
            "PYTHONPATH": str(self.folder / release), "BEC_HOME": str(self.folder / machine), "COLUMNS": "200",
            "BEC_SQL_HOST": str(self.server.folder), "BEC_SQL_USER": "postgres", "BEC_SQL_DATABASE": JOB,
            "BEC_QUEUE": "sqs", "BEC_REGION": "us-east-1", "BEC_WORKER_NAME": machine,
            "BEC_SOURCE_URL": (self.folder / "archive").as_uri(), "BEC_DEST_URL": f"s3://{JOB}/artifacts",
            "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_ENDPOINT_URL_SQS": self.moto, "AWS_ENDPOINT_URL_S3": self.proxy.url,
        }  # fmt: skip

    def bec(self, *arguments: str) -> tuple[int, str]:
        """Run ``bec``; its exit status, and what it says."""
        command = [str(Path(sys.executable).with_name("bec")), *arguments]
        done = subprocess.run(
            command, env=self.environment("desk"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        said = done.stdout.replace(str(self.server.folder), "/run/postgresql")
        return done.returncode, said.rstrip()

    def does(self, *arguments: str) -> str:
        """Run ``bec``, which must end well."""
        status, said = self.bec(*arguments)
        assert status == 0, f"bec {' '.join(arguments)} ended with {status}: {said}"
        return said

    def start(self, name: str, *arguments: str, release: str = "release") -> None:
        """Start ``bec`` as a process of its own, on a machine of this name."""
        environment = self.environment(name, release)
        if machine := self.machines.get(name):
            environment |= {"BEC_EC2": "on", "BEC_IMDS_URL": machine.url}
        with (self.folder / f"{name}.log").open("ab") as log:
            # a group of its own: the kernel hangs up on a whole group that has a frozen process and no parent left
            self.processes[name] = subprocess.Popen(
                [str(Path(sys.executable).with_name("bec")), *arguments],
                env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def start_worker(self, name: str, *, release: str = "release") -> None:
        """Start a worker that stays; a volume that it lost is another's after ten seconds."""
        self.start(
            name, "worker", "--job-name", JOB, "--stay", "--poll-wait", "1", "--visibility-timeout", "10",
            release=release,
        )  # fmt: skip

    def start_feeder(self) -> None:
        """Start the job's feeder."""
        self.start("feeder", "queue", "feed", "--job-name", JOB, "--every", "1", "--no-metrics")

    def end(self, name: str, number: int) -> int:
        """End a process by a signal; its exit status."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    # -- the job -----------------------------------------------------------------------------------------

    def put(self, *refs: str, bad: bool = False) -> None:
        """Lay volumes of four pages into the archive."""
        for ref in refs:
            w_id, i_id = ref.split(",")
            pages = [f"{ref} {page}".encode() for page in range(3)]
            write_archive_volume(
                self.folder / "archive", w_id, i_id, [*pages, Trouble.BAD_PAGE.value if bad else b"last"]
            )

    def ask(self, volumes: int = 30, *, bad: bool = False) -> Path:
        """Ask for so many volumes more; the file of their names."""
        refs = [f"W1,I{self.asked + n:05}" for n in range(volumes)]
        self.asked += volumes
        self.put(*refs, bad=bad)
        file = self.folder / f"{refs[0].replace(',', '-')}.txt"
        file.write_text("\n".join(refs))
        self.does("queue", "enqueue", "--job-name", JOB, "--file", str(file))
        return file

    def sql(self, text: str, *values: Any) -> list[Any]:
        """What the database says."""
        with psycopg.connect(self.server.dsn(JOB), autocommit=True) as connection:
            return connection.execute(text.encode(), values).fetchall()

    def at_work(self, name: str) -> bool:
        """Whether the worker has a volume in hand."""
        return bool(
            self.sql(
                "SELECT FROM task_executions t JOIN workers w USING (worker_id)"
                " WHERE t.status = 'running' AND w.worker_name = %s",
                name,
            )
        )

    def left(self) -> int:
        """How many volumes are asked for and not done."""
        return int(self.sql("SELECT count(*) FROM ledger WHERE state = 'waiting'")[0][0])

    # -- what is told --------------------------------------------------------------------------------------

    def shows(self, *arguments: str, pick: str = "") -> str:
        """Run ``bec`` and keep what it says (the lines that match) for the page."""
        status, said = self.bec(*arguments)
        lines = [line.rstrip() for line in said.splitlines() if re.search(pick, line)]
        self.keep(f"$ bec {' '.join(arguments)}", *lines, f"→ exit status {status}")
        return said

    def hears(self, kind: str, *, within_s: float = PATIENCE_S) -> str:
        """Ask ``bec health`` until it tells this trouble (or none), and keep what it says then."""
        ends = time.monotonic() + within_s
        while True:
            status, said = self.bec("health", "--job-name", JOB, *HEALTH)
            if status == STATUS.get(kind, 6) and (kind in STATUS or f"{JOB}: {kind}: " in said):
                self.keep("$ bec health …", said, f"→ exit status {status}")
                return said
            assert time.monotonic() < ends, f"bec health never told {kind}, but ({status}): {said}"
            time.sleep(1)

    def keep(self, *lines: str) -> None:
        """Keep these lines for the page."""
        self.told[next(reversed(self.told))] += lines
        print("\n".join(lines), flush=True)


def until(what: Callable[[], object], why: str) -> None:
    """Wait until it is so."""
    ends = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < ends, f"it never came to that: {why}"
        time.sleep(0.2)


# -- the ten troubles ------------------------------------------------------------------------------------------


def all_workers_killed(night: Night) -> None:
    """Both workers are killed while volumes wait."""
    for name in ("worker-1", "worker-2"):
        night.end(name, signal.SIGKILL)
    night.hears("workers-gone")
    for name in ("worker-1", "worker-2"):
        night.start_worker(name)
    night.hears(WELL)


def one_worker_frozen(night: Night) -> None:
    """A worker is frozen with a volume in hand; the other one does that volume too."""
    frozen = night.processes["worker-1"]
    while True:
        until(lambda: night.at_work("worker-1"), "worker-1 at work")
        frozen.send_signal(signal.SIGSTOP)
        if night.at_work("worker-1"):
            break
        frozen.send_signal(signal.SIGCONT)
    until(lambda: not night.left(), "the other worker does all")
    dead = "SELECT FROM workers WHERE stopped_at IS NULL AND last_heartbeat_at < now() - interval '46 s'"
    until(lambda: night.sql(dead), "the frozen one is taken for dead")
    night.hears(WELL)
    assert "dead" in night.shows("workers", "list", "--job-name", JOB, pick="WORKER|worker-1.*dead|worker-2")
    night.end("worker-1", signal.SIGKILL)
    night.start_worker("worker-1")
    night.hears(WELL)


def database_stopped(night: Night) -> None:
    """The database is stopped for a while."""
    night.server.stop("immediate")
    night.hears(DOWN)
    time.sleep(10)
    night.server.start()
    night.hears(WELL)


def database_silent(night: Night) -> None:
    """The database's processes are frozen: connections are taken, and nobody answers."""
    first = psutil.Process(int((night.server.data / "postmaster.pid").read_text().split()[0]))
    frozen = [first, *first.children(recursive=True)]
    for process in frozen:
        process.suspend()
    try:
        night.hears(DOWN)
    finally:
        for process in frozen:
            process.resume()
    night.hears(WELL)


def store_refuses(night: Night) -> None:
    """The store refuses every write: a policy was changed."""
    night.proxy.fail(Fault("status", status=403, code="AccessDenied"), method="PUT", times=10**6)
    assert f"{JOB}: one-cause: " in night.hears("standstill")
    assert "grant s3:PutObject there" in night.shows("doctor", "--job-name", JOB, pick="artifacts")
    night.proxy.heal()
    night.hears(WELL)


def broken_release(night: Night) -> None:
    """A release of the job fails every volume."""
    for name in ("worker-1", "worker-2"):
        night.end(name, signal.SIGTERM)
        night.start_worker(name, release="broken")
    night.hears("brake")
    for name in ("worker-1", "worker-2"):
        night.end(name, signal.SIGTERM)
        night.start_worker(name)
    night.shows("jobs", "resume", JOB)
    night.hears(WELL)


def broken_pages(night: Night) -> None:
    """A run of volumes has a broken page each."""
    until(lambda: not night.left(), "the good ones are done")
    file = night.ask(20, bad=True)
    night.hears("page-errors")
    night.shows("errors", "top", "--job-name", JOB, "--pages")
    night.put(*file.read_text().split())
    night.does("queue", "enqueue", "--job-name", JOB, "--file", str(file), "--force")
    night.hears(WELL)


def feeder_dead(night: Night) -> None:
    """The feeder dies; the queue runs empty."""
    night.end("feeder", signal.SIGKILL)
    night.hears("feeder-gone")
    night.start_feeder()
    night.hears(WELL)


def messages_lost(night: Night) -> None:
    """All messages are lost from the queue, while the ledger says that their volumes wait."""
    sqs = boto3.client(
        "sqs", endpoint_url=night.moto, region_name="us-east-1",
        aws_access_key_id="testing", aws_secret_access_key="testing",
    )  # fmt: skip
    ((url,),) = night.sql("SELECT queue_url FROM jobs WHERE name = %s", JOB)
    workers = [night.processes[name] for name in ("worker-1", "worker-2")]
    for worker in workers:  # held for a moment, so that there are messages to lose
        worker.send_signal(signal.SIGSTOP)

    def held() -> int:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"])

    until(lambda: held() > 3, "messages in the queue")
    sqs.purge_queue(QueueUrl=url)
    for worker in workers:
        worker.send_signal(signal.SIGCONT)
    night.hears("standstill")
    night.hears(WELL)


def spot_notice(night: Night) -> None:
    """A spot instance is to end in two minutes."""
    until(lambda: night.at_work("worker-1"), "worker-1 at work")
    night.machines["worker-1"].interrupt(120)
    status = night.processes.pop("worker-1").wait(PATIENCE_S)
    night.keep(f"worker-1 ended: exit status {status}")
    night.hears(WELL)
    del night.machines["worker-1"].values["spot/instance-action"]
    night.start_worker("worker-1")
    night.hears(WELL)


TROUBLES: dict[str, Callable[[Night], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        all_workers_killed, one_worker_frozen, database_stopped, database_silent, store_refuses, broken_release,
        broken_pages, feeder_dead, messages_lost, spot_notice,
    )
}  # fmt: skip


# -- the night ---------------------------------------------------------------------------------------------------


@contextmanager
def evening(folder: Path) -> Iterator[Night]:
    """A job that is well: two workers, a feeder, and the first volumes."""
    install_checksum_plugin(folder / "release")
    shutil.copytree(folder / "release", folder / "broken")
    (folder / "broken" / "bec_checksum_plugin.py").write_text(_BROKEN)
    with ExitStack() as stack:
        server, moto = stack.enter_context(postgres_server()), stack.enter_context(moto_server())
        server.new_database(JOB)
        proxy = stack.enter_context(FaultyProxy(moto))
        machines = {name: stack.enter_context(imds_server()) for name in ("worker-1", "worker-2")}
        boto3.client(
            "s3", endpoint_url=moto, region_name="us-east-1",
            aws_access_key_id="testing", aws_secret_access_key="testing",
        ).create_bucket(Bucket=JOB)  # fmt: skip
        night = Night(folder, server, proxy, moto, machines)
        config = '{"page_ms": 50.0, "max_page_error_rate": 0.5}'
        night.does("jobs", "create", "--name", JOB, "--type", "checksum", "--feed", "--config-text", config)
        night.start_feeder()
        for name in machines:
            night.start_worker(name)
        try:
            yield night
        finally:
            for process in night.processes.values():
                process.kill()
                process.wait()


def account(night: Night) -> str:
    """Check that every volume is done exactly once; in a sentence."""
    states = night.sql("SELECT state, count(*)::int FROM ledger GROUP BY state")
    assert states == [("done", night.asked)], states
    rows = night.sql(
        "SELECT status::text, count(*)::int, count(DISTINCT volume_id)::int FROM task_executions GROUP BY 1"
    )
    assert rows == [("done", night.asked, night.asked)], rows
    night.does("audit", "--job-name", JOB)  # ends badly if the markers tell anything else
    tried = night.sql("SELECT count(*)::int FROM task_executions WHERE attempt > 1")[0][0]
    return (
        f"{night.asked} volumes were asked for, and {night.asked} are done, each once;"
        f" {tried} of them were begun more than once."
    )


def write(told: dict[str, list[str]]) -> None:
    """Put what was said into the page."""
    text = PAGE.read_text()
    for name, lines in told.items():
        if not lines:
            continue
        block = f"<!-- {name} -->\n```text\n" + "\n".join(lines) + "\n```\n"
        before = re.findall(rf"<!-- {name} -->\n```text\n.*?\n?```\n", text, flags=re.DOTALL)
        assert len(before) == 1, f"{PAGE} has {len(before)} places for {name}"
        text = text.replace(before[0], block)
    PAGE.write_text(text)


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write what was said into the page")
    parser.add_argument("--only", nargs="+", choices=TROUBLES, default=list(TROUBLES), metavar="NAME")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bec-night-"))
    began = time.monotonic()
    with ExitStack() as stack:
        night = stack.enter_context(evening(folder))
        night.told["evening"] = []
        if arguments.write:
            stack.callback(lambda: write(night.told))
        night.ask()
        until(lambda: night.left() < 20, "the workers work")
        night.hears(WELL)
        for name in arguments.only:
            print(f"\n== {name} ({time.monotonic() - began:.0f} s)", flush=True)
            until(lambda: night.left() < 15, "there is room for more")
            night.told[name] = []
            night.ask()
            TROUBLES[name](night)
        until(lambda: not night.left(), "all is done")
        night.told["morning"] = []
        night.hears(WELL)
        night.keep(account(night))
    print(f"{time.monotonic() - began:.0f} s")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    sys.exit(main())
