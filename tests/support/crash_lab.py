"""One cell of the crash matrix: a job over one kind of queue and one kind of store, with real worker processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psycopg

from bec_core.admin.asking import ask
from bec_core.admin.job_making import create_job
from bec_core.admin.session import Session
from bec_core.artifacts import TaskFolder, intact
from bec_core.models import Job, Message, OutgoingMessage, VolumeRef, encode_message
from bec_core.settings import load_settings
from bec_core.storage import Store, open_store
from bec_core.testing.checksum_job import Trouble
from support.bad_network import FaultyProxy
from support.cli import archive_objects
from support.services import PostgresServer

TESTS = Path(__file__).resolve().parents[1]
GOOD = VolumeRef("W1", "I0001")
SPOTTY = VolumeRef("W1", "I0002")  # one of its forty pages is bad
MISSING = VolumeRef("W1", "I0404")  # has no manifest
PATIENCE_S = 120.0


@dataclass
class Shared:
    """What cells share: the servers, and a folder for each one's own things."""

    postgres: PostgresServer
    moto: str
    plugins: Path
    folder: Path


class Worker:
    """A worker process; its steps are read from its standard output as it takes them."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, env=dict(environment), stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.steps: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._news:
                    self.steps.append(line.strip().removeprefix("STEP "))
                    self._news.notify_all()
        with self._news:
            self.steps.append("END")
            self._news.notify_all()

    def reach(self, step: str, *, times: int = 1) -> None:
        """Wait until the process has taken a step (so often)."""
        with self._news:
            done = self._news.wait_for(
                lambda: self.steps.count(step) >= times or "END" in self.steps, PATIENCE_S
            )
        if not done or self.steps.count(step) < times:
            raise AssertionError(f"the worker never came to {step!r}; its steps: {self.steps[-12:]}")

    def wait_until_frozen(self) -> None:
        """Wait until the process has stopped itself."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "T":
                return
            time.sleep(0.02)
        raise AssertionError(f"the worker never froze; its steps: {self.steps[-12:]}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; its exit status (minus the signal that killed it)."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join()
        return code

    def end_well(self) -> None:
        """Wait for its end, which must be one with nothing left to do."""
        code = self.end()
        if code != 0:
            raise AssertionError(f"a worker ended with {code}; its last steps: {self.steps[-12:]}")

    @property
    def claims(self) -> int:
        return self.steps.count("claimed")


@dataclass
class Cell:
    """A fresh database, job, queues, archive and store; ``embedded`` uses BEC's own PostgreSQL."""

    shared: Shared
    queue: str
    store: str
    embedded: bool = False
    server: PostgresServer | None = None
    workers: list[Worker] = field(default_factory=list)
    reader: Job | None = None
    started: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = f"c{uuid.uuid4().hex[:12]}"
        self.folder = self.shared.folder / self.name
        self.folder.mkdir()
        self.log = self.folder / "worker.log"
        self.s3 = FaultyProxy(self.shared.moto)
        self.sqs = FaultyProxy(self.shared.moto)
        self.environment = self._environment()
        self.session = Session(load_settings(self.environment))
        self.source: Store = open_store(self.environment["BEC_SOURCE_URL"], s3=self.session.s3)
        self.job: Job = create_job(
            self.session, name=self.name, job_type="checksum", config={"page_ms": 5.0, "mapped": True}
        ).job

    def _environment(self) -> dict[str, str]:
        values = {k: v for k, v in os.environ.items() if not k.startswith(("BEC_", "AWS_"))}
        values |= {
            "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "BEC_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.s3.url, "AWS_ENDPOINT_URL_SQS": self.sqs.url,
            "BEC_QUEUE": self.queue, "PYTHONPATH": f"{TESTS}:{self.shared.plugins}",
            "BEC_HOME": str(self.folder / "home"), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        if not self.embedded:
            server = self.server or self.shared.postgres
            server.new_database(self.name)
            values |= {
                "BEC_SQL_HOST": str(server.folder), "BEC_SQL_USER": "postgres", "BEC_SQL_DATABASE": self.name,
            }  # fmt: skip
        if self.store == "file":
            values["BEC_SOURCE_URL"] = (self.folder / "archive").as_uri()
            values["BEC_DEST_URL"] = (self.folder / "artifacts").as_uri()
        else:
            client = boto3.client(
                "s3", endpoint_url=self.shared.moto, region_name="us-east-1",
                aws_access_key_id="testing", aws_secret_access_key="testing",
            )  # fmt: skip
            client.create_bucket(Bucket=self.name)
            values["BEC_SOURCE_URL"] = f"s3://{self.name}/archive"
            values["BEC_DEST_URL"] = f"s3://{self.name}/artifacts"
        return values

    def close(self) -> None:
        for worker in self.started:
            if worker.process.poll() is None:
                worker.process.kill()
            worker.end()
        self.session.__exit__(None, None, None)
        self.s3.close()
        self.sqs.close()

    # -- the work -------------------------------------------------------------------------------------

    def put_volume(self, ref: VolumeRef, pages: list[bytes]) -> None:
        for key, data in archive_objects(ref.w_id, ref.i_id, pages):
            self.source.put(key, data)

    def fill(self) -> None:
        """Ask for a good volume, one with a bad page, one without a manifest; and send garbage."""
        self.put_volume(GOOD, [b"one", b"two", b"three"])
        self.put_volume(SPOTTY, [b"fine"] * 39 + [Trouble.BAD_PAGE.value])
        ask(self.session, self.job, [GOOD, SPOTTY, MISSING])
        self.send_raw("garbage")

    def add_reader(self) -> Job:
        """A second job that reads this one; asked for what can be done, it is blocked."""
        self.reader = create_job(
            self.session, name=f"{self.name}r", job_type="reader", inputs={"lines": self.name}
        ).job
        asked = ask(self.session, self.reader, [GOOD, SPOTTY])
        assert set(asked.blocked) == {GOOD, SPOTTY}, asked
        return self.reader

    def send_raw(self, body: str) -> None:
        assert self.session.queue(self.job.queue_url).send([OutgoingMessage(body)]) == []

    def force(self, ref: VolumeRef) -> None:
        """Ask again for a volume, done or not: a later request, and a message for it."""
        self.sql(
            "UPDATE ledger l SET request = request + 1, state = 'waiting', config_revision = j.config_revision"
            " FROM jobs j, volumes v WHERE j.id = l.job_id AND v.id = l.volume_id AND v.bdrc_i_id = %s AND j.id = %s",
            ref.i_id,
            self.job.id,
        )
        assert self.session.queue(self.job.queue_url).send([encode_message(ref)]) == []

    def start(self, **plan: Any) -> Worker:
        worker = self.start_of(self.job, **plan)
        self.workers.append(worker)
        return worker

    def start_of(self, job: Job, **plan: Any) -> Worker:
        """A worker of one of the cell's jobs."""
        command = [sys.executable, "-m", "support.crash_worker", job.name, json.dumps(plan)]
        worker = Worker(command, self.environment, self.log)
        self.started.append(worker)
        return worker

    def recover(self) -> None:
        """What an operator's service does: start the worker again. It must end with nothing left to do."""
        self.s3.heal()
        self.sqs.heal()
        self.start().end_well()
        if self.reader is not None:
            self.start_of(self.reader).end_well()

    def expire_leases(self) -> None:
        """Let the server's clock jump past every lease and every hidden message's time."""
        self.sql(
            "UPDATE task_executions SET lease_expires_at = now() - interval '1 s' WHERE status = 'running'"
        )
        self.sql("UPDATE queue_messages SET visible_at = now() WHERE visible_at > now()")

    # -- the invariants -------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """Everything that is not as it must be once nothing is left to do."""
        found = []
        expected = {GOOD: "done", SPOTTY: "done", MISSING: "failed"}
        for ref, state in expected.items():
            is_state = self.states_of(self.job, ref)
            if is_state != [(state,)]:
                found.append(f"the ledger says {is_state} of {ref}, not {state}")
        if self.reader is not None:
            found += self._bad_reader(self.reader)
        found += self._bad_markers(errors={GOOD: 0, SPOTTY: 1})
        found += self._bad_rows()
        found += self._bad_queues()
        found += [f"a part is left: {info.key}" for info in self.session.artifacts.list(".bec/parts")]
        return found

    def resumed(self, ref: VolumeRef) -> int:
        """How many pages the last attempt at a volume took over."""
        ((pages,),) = self.sql(
            "SELECT pages_resumed FROM task_executions t JOIN volumes v ON v.id = t.volume_id"
            " WHERE v.bdrc_i_id = %s AND t.job_id = %s",
            ref.i_id,
            self.job.id,
        )
        return int(pages)

    def states_of(self, job: Job, ref: VolumeRef) -> list[tuple[Any, ...]]:
        return self.sql(
            "SELECT l.state FROM ledger l JOIN volumes v ON v.id = l.volume_id"
            " WHERE v.bdrc_i_id = %s AND l.job_id = %s",
            ref.i_id,
            job.id,
        )

    def _bad_reader(self, reader: Job) -> list[str]:
        """The job that reads this one has done what can be done, once, from what stands, and waited for nothing."""
        found = []
        for ref in (GOOD, SPOTTY):
            if (states := self.states_of(reader, ref)) != [("done",)]:
                found.append(f"the reader's ledger says {states} of {ref}")
                continue
            volume = self.session.sources.resolve(ref)
            folder = TaskFolder(self.session.artifacts, reader.artifact_root, volume)
            read = TaskFolder(self.session.artifacts, self.job.artifact_root, volume)
            marker = folder.marker()
            if marker is None or folder.read(".txt") != b"read: " + read.read(".json"):
                found.append(f"the reader's result of {ref} is not what it reads")
        # a process that is known to have died with one volume in hand is one failure; waiting is none
        deaths = sum(worker.process.returncode == KILLED for worker in self.started)
        ((failures,),) = self.sql(
            "SELECT sum(failures)::int FROM task_executions WHERE job_id = %s", reader.id
        )
        if failures > deaths:
            found.append(f"{failures} failures were counted against the reader, of which {deaths} died")
        stats = self.session.queue(reader.queue_url).stats()
        if stats.available + stats.in_flight + stats.delayed:
            found.append(f"the reader's queue is not empty: {stats}")
        if dead := self.session.queue(reader.dlq_url).stats().available:
            found.append(f"{dead} letters of the reader")
        return found

    def _bad_markers(self, errors: dict[VolumeRef, int]) -> list[str]:
        found = []
        markers = [
            info.key
            for info in self.session.artifacts.list(self.job.artifact_root)
            if info.key.endswith("/success.json")
        ]
        if len(markers) != len(errors):
            found.append(f"there are {len(markers)} markers: {markers}")
        for ref, nb_errors in errors.items():
            folder = TaskFolder(
                self.session.artifacts, self.job.artifact_root, self.session.sources.resolve(ref)
            )
            marker = folder.marker()
            asked = self.sql(
                "SELECT l.request FROM ledger l JOIN volumes v ON v.id = l.volume_id"
                " WHERE v.bdrc_i_id = %s AND l.job_id = %s",
                ref.i_id,
                self.job.id,
            )[0][0]
            if marker is not None and not marker.answers(asked):
                found.append(f"{ref}: the marker answers request {marker.request}, not {asked}")
            if marker is None or not intact(folder, marker):
                found.append(f"{ref}: the marker is missing or lists other artifacts than lie there")
            elif marker.content["nb_errors"] != nb_errors or not marker.content["artifacts"]:
                found.append(f"{ref}: the marker says {marker.content['nb_errors']} errors")
        return found

    def _bad_rows(self) -> list[str]:
        rows = self.sql(
            "SELECT status::text, attempt, lease_expires_at, version IS NULL FROM task_executions"
            " WHERE job_id = %s",
            self.job.id,
        )
        found = [
            f"a row is left {row}" for row in rows if row[0] not in ("done", "terminal_failed") or row[2]
        ]
        claimed, attempts = sum(w.claims for w in self.workers), sum(row[1] for row in rows if not row[3])
        if claimed > attempts:  # less than all claims are seen when a process dies between claim and print
            found.append(f"{attempts} attempts are recorded, but {claimed} claims were made")
        return found

    def _bad_queues(self) -> list[str]:
        found = []
        stats = self.session.queue(self.job.queue_url).stats()
        if stats.available + stats.in_flight + stats.delayed:
            found.append(f"the queue is not empty: {stats}")
        letters = self.letters()
        kinds = [message.attributes.get("error_type", "(no reason)") for message in letters]
        for kind in ("InvalidMessage", "ManifestMissing"):
            if not 1 <= kinds.count(kind) <= 2:
                found.append(f"the dead-letter queue holds {kinds}")
        if set(kinds) - {"InvalidMessage", "ManifestMissing"}:
            found.append(f"the dead-letter queue holds {kinds}")
        return found

    def letters(self) -> list[Message]:
        queue = self.session.queue(self.job.dlq_url)
        letters = []
        while batch := queue.receive(limit=10, wait_s=0, visibility_s=60):
            letters += batch
        return letters

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.session.database.connection() as connection:
            cursor = connection.execute(text.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def objects(self) -> list[tuple[str, str | None]]:
        return [(info.key, info.etag) for info in self.session.artifacts.list()]

    def close_all_connections(self) -> None:
        server = self.server or self.shared.postgres
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self.name,)
            )


@contextmanager
def cell_of(
    shared: Shared, queue: str, store: str, *, embedded: bool = False, server: PostgresServer | None = None
) -> Iterator[Cell]:
    cell = Cell(shared, queue, store, embedded, server)
    try:
        yield cell
    finally:
        cell.close()


KILLED = -signal.SIGKILL
