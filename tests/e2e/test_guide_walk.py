"""The promised guide, from its first command to its last, on both kinds of queue: what it prints is what
was promised, headings and all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from support.cli import Bec, archive_objects, clean_environment, use_postgres
from support.places import SAMPLES
from support.services import PostgresServer, moto_server, postgres_server

CONFIG = """{
  "use_gpu": true,
  "precision": "fp16",
  "batch_size": 16,
  "compile_model": false,
  "max_tiles_per_batch": 80
}"""

VOLUMES = """# One volume per line: W_ID,I_ID or W_ID I_ID
W22084,I0886
W22084 I0887
W1KG13780,I1KG15541

# Comments start with #
# Empty lines are ignored
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(params=["postgres", "sqs"])
def guide(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    postgres: PostgresServer,
    aws: str,
) -> Bec:
    """The guide's surroundings: an archive in S3 with its three volumes, a database, a ``.env`` file."""
    clean_environment(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    page = sorted(SAMPLES.rglob("*.tif"))[0].read_bytes()
    client.create_bucket(Bucket="archive.tbrc.org")
    client.create_bucket(Bucket=f"artifacts-{request.param}")
    for w_id, i_id, pages in (
        ("W22084", "I0886", [page]),
        ("W22084", "I0887", [b"no image at all"]),
        ("W1KG13780", "I1KG15541", [page]),
    ):
        for key, data in archive_objects(w_id, i_id, pages):
            client.put_object(Bucket="archive.tbrc.org", Key=key, Body=data)
    database = f"guide_{request.param}"
    postgres.new_database(database)
    use_postgres(monkeypatch, postgres, database)
    monkeypatch.delenv("BEC_SQL_USER")
    (tmp_path / ".env").write_text(
        f"export BEC_SQL_USER=postgres\nBEC_REGION=us-east-1\nBEC_DEST_S3_BUCKET=artifacts-{request.param}\n"
    )
    (tmp_path / ".env").chmod(0o600)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("BEC_QUEUE", request.param)
    (tmp_path / "ldv1-config.json").write_text(CONFIG)
    (tmp_path / "volumes.txt").write_text(VOLUMES)
    monkeypatch.chdir(tmp_path)
    return Bec(capsys)


def rows(table: str) -> list[list[str]]:
    """The cells of a table, headings first."""
    lines = [line for line in table.splitlines() if line[:1] in ("┃", "│")]
    return [[cell.strip() for cell in re.split("[┃│]", line)[1:-1]] for line in lines]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch and boto3 themselves
def test_every_command_of_the_guide(guide: Bec) -> None:
    bec = guide
    create_and_look(bec)
    job = bec.ok("jobs", "show", "ldv1", "--json").json
    enqueue(bec)
    work(bec, job)
    assert bec.ok("audit", "--job-name", "ldv1", "--all").out == "✓ All fits\n"
    figures(bec)
    redrive_and_purge(bec, job)
    delete(bec)


def create_and_look(bec: Bec) -> None:
    made = bec.ok("jobs", "create", "--name", "ldv1", "--config", "ldv1-config.json")
    lines = made.out.splitlines()
    kind = "SQS" if "http" in made.out else "PostgreSQL"
    assert made.err.splitlines() == [
        f"settings from {Path.cwd() / '.env'}",
        f"Creating {kind} queues for job 'ldv1'...",
    ]
    assert re.fullmatch(r"✓ Created queue: \S+/bec_ldv1_tasks", lines[0])
    assert re.fullmatch(r"✓ Created DLQ: \S+/bec_ldv1_dlq", lines[1])
    assert lines[2:] == ["✓ Created job: id=1, name=ldv1"]
    inline = bec.ok(
        "jobs", "create", "--name", "ocr", "--config-text", '{"model": "tesseract", "lang": "bod"}'
    )
    assert "✓ Created job: id=2, name=ocr" in inline.out
    job = bec.ok("jobs", "show", "ldv1", "--json").json
    spare = bec.ok("jobs", "show", "ocr", "--json").json
    bec.ok("jobs", "delete", "ocr", "--yes")  # its queues stay, and serve as those that somebody made
    custom = bec.ok(
        "jobs", "create", "--name", "custom", "--type", "ldv1", "--config", "ldv1-config.json",
        "--queue-url", spare["queue_url"], "--dlq-url", spare["dlq_url"],
    )  # fmt: skip
    assert "✓ Created job: id=3, name=custom" in custom.out
    bec.ok("jobs", "delete", "custom", "--yes")

    listed = rows(bec.ok("jobs", "list").out)
    assert listed[0] == ["ID", "Name", "Queue", "Config"]
    assert listed[1][:3] == ["1", "ldv1", "bec_ldv1_tasks"]
    assert listed[1][3].startswith('{"use_gp')
    assert listed[1][3].endswith("...")
    shown = bec.ok("jobs", "show", "ldv1").out
    for line in (
        "Job 1",
        "Name: ldv1",
        f"Queue URL: {job['queue_url']}",
        f"DLQ URL: {job['dlq_url']}",
        "Configuration:",
    ):
        assert f"{line}\n" in shown
    assert json.loads(shown.partition("Configuration:\n")[2]) == json.loads(CONFIG)
    assert bec.ok("jobs", "update", "ldv1", "--config", "ldv1-config.json").code == 0


def enqueue(bec: Bec) -> None:
    assert (
        "✓ Enqueued 1 volume "
        in bec.ok("queue", "enqueue", "--job-name", "ldv1", "--volume", "W22084,I0886").out
    )
    two = ["--volume", "W22084,I0886", "--volume", "W22084,I0887"]
    assert "✓ Enqueued 1 volume " in bec.ok("queue", "enqueue", "--job-name", "ldv1", *two).out
    assert (
        "✓ Enqueued 1 volume "
        in bec.ok("queue", "enqueue", "--job-name", "ldv1", "--file", "volumes.txt").out
    )
    table = rows(bec.ok("queue", "stats", "--job-name", "ldv1").out)
    assert table[0] == ["Metric", "Value"]
    assert [row[0] for row in table[1:6]] == [
        "Messages Available", "Messages In Flight", "Messages Delayed", "Created", "Last Modified",
    ]  # fmt: skip
    assert table[1][1] == "3"


def work(bec: Bec, job: dict[str, str]) -> None:
    bec.ok("jobs", "update", "ldv1", "--config-text", CONFIG.replace("{", '{"max_attempts": 1,'))
    ended = bec.ok(
        "worker", "--job-name", "ldv1", "--poll-wait", "0", "--visibility-timeout", "300",
        "--shutdown-after-empty", "2", "--s3-source-bucket", "archive.tbrc.org", "--region", "us-east-1",
    )  # fmt: skip
    lines = ended.out.splitlines()
    bucket = lines[4].removeprefix("Dest bucket: ")
    assert lines[:8] == [
        "Starting BEC Worker", "Job: ldv1", "Region: us-east-1", "Source bucket: archive.tbrc.org",
        f"Dest bucket: {bucket}", "Worker initialized: worker_id=1, job_id=1",
        f"Queue: {job['queue_url']}", f"DLQ: {job['dlq_url']}",
    ]  # fmt: skip
    assert lines[-2:] == ["Worker completed successfully", "Worker shutdown complete"]
    taken = dict(re.findall(r"Processing message: (\S+) for volume (\S+)", ended.out))
    assert sorted(taken.values()) == ["W1KG13780/I1KG15541", "W22084/I0886", "W22084/I0887"]
    succeeded = re.findall(r"Successfully processed message: (\S+)", ended.out)
    assert sorted(taken[message] for message in succeeded) == ["W1KG13780/I1KG15541", "W22084/I0886"]


def figures(bec: Bec) -> None:
    shown = bec.ok("jobs", "stats", "ldv1").out
    assert shown.startswith("Job Statistics: ldv1 (id=1)\n\n")
    assert "Task Execution Status" in shown
    table = rows(shown)
    assert table[0] == ["Status", "Count", "Total Images", "Total Errors", "Avg Duration (ms)"]
    assert [row[:4] for row in table[1:]] == [["done", "2", "2", "0"], ["terminal_failed", "1", "1", "1"]]
    assert re.search(
        r"Overall Totals:\n  Total Tasks: 3\n  Total Images: 3\n  Total Errors: 1\n"
        r"  Avg Duration per Task: \d+\.\d\d ms\n  Avg Duration per Page: \d+\.\d\d ms\n",
        shown,
    )
    tasks = bec.ok("jobs", "tasks", "ldv1", "--limit", "20").out
    assert tasks.startswith("Recent Task Executions: ldv1 (id=1)\n\n")
    assert rows(tasks)[0] == ["ID", "Volume", "Status", "Images", "Errors", "Duration (s)", "Worker"]
    assert len(rows(tasks)) == 4
    done = rows(bec.ok("jobs", "tasks", "ldv1", "--status", "done").out)[1:]
    assert {row[1] for row in done} == {"W22084/I0886", "W1KG13780/I1KG15541"}
    assert (
        len(rows(bec.ok("jobs", "tasks", "ldv1", "--status", "retryable_failed", "--limit", "50").out)) == 1
    )


def redrive_and_purge(bec: Bec, job: dict[str, str]) -> None:
    moved = bec.ok(
        "queue", "redrive", "--source-queue-url", job["dlq_url"], "--dest-queue-url", job["queue_url"],
        "--max-messages", "1000",
    )  # fmt: skip
    assert moved.out == "✓ Moved 1 message to bec_ldv1_tasks\n"
    assert rows(bec.ok("queue", "stats", "--job-name", "ldv1").out)[1][1] == "1"
    assert bec.ok("queue", "purge", "--job-name", "ldv1", "--yes").out == "✓ Purged queue: bec_ldv1_tasks\n"
    assert rows(bec.ok("queue", "stats", "--job-name", "ldv1").out)[1][1] == "0"


def delete(bec: Bec) -> None:
    assert bec.ok("jobs", "delete", "ldv1", "--yes").out == "✓ Deleted job: id=1, name=ldv1\n"
    assert [job["name"] for job in bec.ok("jobs", "list", "--json").json] == []
