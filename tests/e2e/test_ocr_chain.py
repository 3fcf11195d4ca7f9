"""Lines, OCR and its evaluation with real workers on both stacks; the one in the middle is killed in a volume."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from bec_core.archive import volume_folder
from support.places import SAMPLES
from support.services import PostgresServer

JOBS = ("ldv1", "ocr", "ocreval")
TYPES = {"ldv1": "ldv1", "ocr": "ocrv1", "ocreval": "ocreval"}
FIRST, SECOND, THIRD = "I0001", "I0002", "I0003"
PAGES = {FIRST: ("0002", "0003"), SECOND: ("0003", "0004"), THIRD: ("0002", "0004", "0005")}
"""The volumes, of pecha leaves of the sample."""
PATIENCE_S = 240.0
LEASE_S = 45
"""A message that the killed worker had asked for, or had at hand and not claimed, is hidden for so long."""


class Stack:
    """A database, an archive and a store for artifacts; and an operator's shell on them."""

    def __init__(self, folder: Path, dsn: str, environment: dict[str, str]) -> None:
        self.folder = folder
        self.dsn = dsn
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BEC_", "AWS_"))}
        self.environment = {**clean, "BEC_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1", **environment}
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.truth: tuple[str, ...] = ()
        self.config: tuple[str, ...] = ()

    def put(self, key: str, data: bytes) -> None:
        """Lay down an object of the archive."""
        raise NotImplementedError

    def keys(self) -> set[str]:
        """What lies in the store of artifacts."""
        raise NotImplementedError

    def fill(self) -> None:
        """Put the volumes into the archive."""
        leaves = SAMPLES / volume_folder("W1BEC1", FIRST)
        for i_id, pages in PAGES.items():
            place = volume_folder("W1", i_id)
            for page in pages:
                self.put(f"{place}/{page}.jpg", (leaves / f"{page}.jpg").read_bytes())
            manifest = json.dumps([{"filename": f"{page}.jpg"} for page in pages]).encode()
            self.put(f"{place}/dimensions.json", gzip.compress(manifest, mtime=0))

    def truths(self) -> Iterator[tuple[str, bytes]]:
        """The ground truth's files."""
        for i_id, pages in PAGES.items():
            for page in pages:
                yield (
                    f"{i_id}/{page}.txt",
                    (SAMPLES / "truth" / "W1BEC1" / FIRST / f"{page}.txt").read_bytes(),
                )

    def bec(self, *arguments: str, status: int = 0) -> str:
        """What a command prints and says; it must end with ``status``."""
        done = subprocess.run(
            [sys.executable, "-m", "bec_cli", *arguments],
            env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        return done.stdout if "--json" in arguments else done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self.bec(*arguments, "--json"))

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement.encode(), values or None).fetchall()

    def start(self, job: str) -> None:
        """Start a worker of a job, which stays until it is told to go."""
        command = [
            sys.executable, "-m", "bec_cli", "worker", "--job-name", job, "--stay", "--poll-wait", "1",
            "--threads", "1", "--visibility-timeout", str(LEASE_S), *(self.truth if job == "ocreval" else ()),
        ]  # fmt: skip
        with self.log(job).open("ab") as log:
            self.workers[job] = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )

    def log(self, job: str) -> Path:
        return self.folder / f"{job}.log"

    def until(self, what: str, ready: Callable[[], Any]) -> Any:
        """Look again and again until something is there; all workers must live meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := ready()):
            for job, worker in self.workers.items():
                assert worker.poll() is None, f"the worker of {job} ended: {self.log(job).read_text()}"
            assert time.monotonic() < deadline, f"{what} did not come: {self.json('top', '--once')}"
            time.sleep(0.02)
        return found

    def kill_in_a_volume(self, job: str) -> str:
        """Kill a job's worker while it has a volume in hand, and start it again; the volume."""
        running = (
            "SELECT v.bdrc_i_id FROM task_executions t JOIN volumes v ON v.id = t.volume_id"
            " JOIN jobs j ON j.id = t.job_id WHERE j.name = %s AND t.status = 'running'"
        )
        worker = self.workers[job]

        def caught() -> str | None:
            if not self.rows(running, job):
                return None
            worker.send_signal(signal.SIGSTOP)  # it can't finish while we look whether it has
            for (i_id,) in self.rows(running, job):
                if not any(
                    f"{job}/W1/{i_id}/" in key and key.endswith("success.json") for key in self.keys()
                ):
                    return str(i_id)
            worker.send_signal(signal.SIGCONT)
            return None

        volume: str = self.until(f"a volume of {job}", caught)
        worker.kill()
        assert worker.wait(10) == -signal.SIGKILL
        self.start(job)
        return volume

    def stop(self) -> None:
        """Tell all workers to go: they have nothing in hand, so they end as those who were told to."""
        for worker in self.workers.values():
            worker.terminate()
        for job, worker in self.workers.items():
            assert worker.wait(60) == 143, self.log(job).read_text()

    def close(self) -> None:
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.kill()
                worker.wait(10)


class Folders(Stack):
    """Queues in PostgreSQL, objects in files."""

    def __init__(self, folder: Path, postgres: PostgresServer) -> None:
        database = f"t_{uuid.uuid4().hex}"
        super().__init__(
            folder, postgres.new_database(database),
            {
                "BEC_SQL_HOST": str(postgres.folder), "BEC_SQL_USER": "postgres", "BEC_SQL_DATABASE": database,
                "BEC_QUEUE": "postgres", "BEC_SOURCE_URL": (folder / "archive").as_uri(),
                "BEC_DEST_URL": (folder / "artifacts").as_uri(),
            },
        )  # fmt: skip
        for name, data in self.truths():
            (folder / "truth" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "truth" / name).write_bytes(data)
        self.truth = ("--resource", "truth=truth")

    def put(self, key: str, data: bytes) -> None:
        path = self.folder / "archive" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def keys(self) -> set[str]:
        place = self.folder / "artifacts"
        return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}


class Aws(Stack):
    """Queues in SQS, objects in S3, and the ground truth there too."""

    def __init__(self, folder: Path, postgres: PostgresServer, aws: str) -> None:
        database = f"t_{uuid.uuid4().hex}"
        self.bucket = f"archive-{uuid.uuid4().hex}"
        self.artifacts = f"artifacts-{uuid.uuid4().hex}"
        super().__init__(
            folder, postgres.new_database(database),
            {
                "BEC_SQL_HOST": str(postgres.folder), "BEC_SQL_USER": "postgres", "BEC_SQL_DATABASE": database,
                "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_ENDPOINT_URL_S3": aws, "AWS_ENDPOINT_URL_SQS": aws, "BEC_REGION": "us-east-1",
                "BEC_SOURCE_S3_BUCKET": self.bucket, "BEC_DEST_S3_BUCKET": self.artifacts,
            },
        )  # fmt: skip
        self.s3 = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
        self.sqs = boto3.client("sqs", endpoint_url=aws, region_name="us-east-1")
        for name in (self.bucket, self.artifacts):
            self.s3.create_bucket(Bucket=name)
        for name, data in self.truths():
            self.put(f"truth/{name}", data)
        self.config = (
            "--config-text", json.dumps({"resources": {"truth": f"s3://{self.bucket}/truth/"}}),
        )  # fmt: skip

    def put(self, key: str, data: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def keys(self) -> set[str]:
        found = self.s3.list_objects_v2(Bucket=self.artifacts).get("Contents", [])
        return {str(entry.get("Key")) for entry in found}

    def close(self) -> None:
        super().close()
        for url in self.sqs.list_queues(QueueNamePrefix="bec_").get("QueueUrls", []):
            self.sqs.delete_queue(QueueUrl=url)  # moto keeps them from test to test


@pytest.fixture(params=[Folders, Aws])
def stack(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer) -> Iterator[Stack]:
    if request.param is Aws:
        made: Stack = Aws(tmp_path, postgres, request.getfixturevalue("aws"))
    else:
        made = Folders(tmp_path, postgres)
    yield made
    made.close()


def test_the_last_job_of_a_chain_is_asked_and_all_get_done_although_a_worker_dies(stack: Stack) -> None:
    stack.fill()
    create(stack)
    asked = stack.bec(
        "queue", "enqueue", "--job-name", "ocreval", "--with-inputs",
        *(part for i_id in PAGES for part in ("--volume", f"W1,{i_id}")),
    )  # fmt: skip
    assert "Blocked 3 volumes, an input is not done" in asked
    assert states(stack) == {"ldv1": {"waiting": 3}, "ocr": {"blocked": 3}, "ocreval": {"blocked": 3}}
    assert "Blocked: 3 (lines: 3 waiting)" in stack.bec("jobs", "stats", "ocr")
    assert "Blocked: 3 (text: 3 waiting)" in stack.bec("jobs", "stats", "ocreval")

    for job in JOBS:
        stack.start(job)
    killed_in = stack.kill_in_a_volume("ocr")
    done = "SELECT count(*) FROM ledger WHERE state = 'done'"
    stack.until("the end", lambda: stack.rows(done) == [(9,)])
    stack.stop()

    assert states(stack) == {job: {"done": 3} for job in JOBS}
    once_each(stack, killed_in)
    figures(stack)
    for job in JOBS:
        assert stack.bec("audit", "--job-name", job, "--all").startswith("✓ All fits\n")
        assert stack.bec("jobs", "stale", job) == "Nothing is out of date\n"
    again = ("queue", "enqueue", "--job-name", "ocreval", "--with-inputs", "--volume", f"W1,{FIRST}")
    assert stack.json(*again)["sent"] == []


def create(stack: Stack) -> None:
    assert "Input" not in stack.bec("jobs", "create", "--name", "ldv1")
    ocr = stack.bec("jobs", "create", "--name", "ocr", "--config-text", '{"decoder": "greedy"}')
    assert "ocr is of job type ocrv1, the only one of the family ocr" in ocr
    assert "Input lines: ldv1 (the only job of type ldv1)" in ocr
    evaluation = stack.bec("jobs", "create", "--name", "ocreval", *stack.config)
    assert "Input text: ocr (the only job of family ocr)" in evaluation


def states(stack: Stack) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {job: {} for job in JOBS}
    for job, state, count in stack.rows(
        "SELECT j.name, l.state::text, count(*) FROM ledger l JOIN jobs j ON j.id = l.job_id GROUP BY 1, 2"
    ):
        found[job][state] = count
    return found


def once_each(stack: Stack, killed_in: str) -> None:
    """Every volume was claimed once, the killed worker's twice; and nothing else is left anywhere."""
    tasks = stack.rows(
        "SELECT j.name, v.bdrc_i_id, t.status::text, t.attempt, t.failures, t.nb_errors FROM task_executions t"
        " JOIN jobs j ON j.id = t.job_id JOIN volumes v ON v.id = t.volume_id"
    )
    died = {("ocr", killed_in): (2, 1)}
    expected = {(job, i_id, "done", *died.get((job, i_id), (1, 0)), 0) for job in JOBS for i_id in PAGES}
    assert sorted(tasks) == sorted(expected)
    for job in JOBS:
        queue = stack.json("queue", "stats", "--job-name", job)
        assert {key: queue[key] for key in ("available", "in_flight", "delayed")} == {
            "available": 0, "in_flight": 0, "delayed": 0,
        }  # fmt: skip
        assert stack.json("queue", "peek", "--job-name", job, "--dlq") == []
        said = stack.log(job).read_text()
        taken = dict(re.findall(r"Processing message: (\S+) for volume (\S+)", said))
        finished = re.findall(r"Successfully processed message: (\S+)", said)
        assert sorted(taken[message] for message in finished) == [f"W1/{i_id}" for i_id in sorted(PAGES)]


def figures(stack: Stack) -> None:
    metrics = stack.json("jobs", "stats", "ocreval")["metrics"]
    values = {one["name"]: one["value"] for one in metrics}
    assert values["scored"] == sum(len(pages) for pages in PAGES.values())
    assert 0 < values["cer"] < 0.35, "a third of the leaves are askew, bent or in handwriting"
    assert values["chars"] > 0
