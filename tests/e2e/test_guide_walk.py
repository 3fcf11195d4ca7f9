"""The promised guide, from its first command to its last, on both kinds of queue: what it prints is what
was promised, headings and all.

A call of ``typed`` is a command of the guide, in the guide's order; what stands in for its made-up URLs and paths is
the only difference. What ``bec.ok`` runs is not in the guide: it makes room where the guide shows several
ways to do a thing, and looks at what came of it.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import psycopg
import pytest

from support.cli import Bec, Ended, archive_objects, clean_environment, use_postgres
from support.places import ROOT, SAMPLES
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

QUICK_CONFIG = """{
  "use_gpu": true,
  "precision": "fp16",
  "batch_size": 16
}"""

QUICK_VOLUMES = "W22084,I0886\nW22084,I0887\nW1KG13780,I1KG15541\n"

SOON = "--poll-wait 0 --shutdown-after-empty 2"
"""Added to the guide's workers: as they are typed there they wait two minutes for more."""

DEST = "artifacts.example.com"


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
    for name in (f"artifacts-{request.param}", f"quick-{request.param}", DEST):
        client.create_bucket(Bucket=name)
    for entry in client.list_objects_v2(Bucket=DEST).get("Contents", []):  # of the walk with the other queue
        client.delete_object(Bucket=DEST, Key=str(entry.get("Key")))
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
    model = ROOT / "packages" / "bec-ldv1" / "src" / "bec_ldv1" / "network" / "weights" / "box.pt"
    shutil.copy(model, tmp_path / "model.pth")
    for name, text in (
        ("ldv1-config.json", CONFIG),
        ("volumes.txt", VOLUMES),
        ("ldv1.json", CONFIG),
        ("ldv2.json", '{"batch_size": 4}'),
        ("ocr.json", '{"model": "tesseract", "lang": "bod"}'),
    ):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return Bec(capsys)


def typed(bec: Bec, line: str) -> Ended:
    """Run a command as the guide has it; it must end well."""
    program, *arguments = shlex.split(line)
    assert program == "bec"
    return bec.ok(*arguments)


def rows(table: str) -> list[list[str]]:
    """The cells of a table, headings first."""
    lines = [line for line in table.splitlines() if line[:1] in ("┃", "│")]
    return [[cell.strip() for cell in re.split("[┃│]", line)[1:-1]] for line in lines]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch and boto3 themselves
def test_every_command_of_the_guide(
    guide: Bec, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer, request: pytest.FixtureRequest
) -> None:
    bec = guide
    create(bec)
    manage(bec)
    queue(bec)
    work(bec)
    quick_start(bec)
    more_workers(bec)
    with psycopg.connect(postgres.dsn(f"guide_{request.node.callspec.params['guide']}")) as connection:
        troubleshoot(bec, monkeypatch, connection)
    several_jobs(bec)
    for name in ("ocr", "ldv2", "ldv1"):
        bec.ok("jobs", "delete", name, "--yes")
    assert bec.ok("jobs", "list", "--json").json == []


def create(bec: Bec) -> None:
    """Create a job: the three ways, and the one with queues of one's own."""
    made = typed(bec, "bec jobs create --name ldv1")
    lines = made.out.splitlines()
    kind = "SQS" if "http" in made.out else "PostgreSQL"
    assert made.err.splitlines() == [
        f"settings from {Path.cwd() / '.env'}",
        f"Creating {kind} queues for job 'ldv1'...",
    ]
    assert re.fullmatch(r"✓ Created queue: \S+/bec_ldv1_tasks", lines[0])
    assert re.fullmatch(r"✓ Created DLQ: \S+/bec_ldv1_dlq", lines[1])
    assert lines[2:] == ["✓ Created job: id=1, name=ldv1"]

    taken = bec("jobs", "create", "--name", "ldv1", "--config", "ldv1-config.json")
    assert taken.code == 4
    assert "to give it another config: bec jobs update ldv1" in taken.err
    bec.ok("jobs", "delete", "ldv1", "--yes")
    again = typed(bec, "bec jobs create --name ldv1 --config ldv1-config.json").out
    assert "✓ Using existing queue: " in again  # as "Queue already exists" promises
    assert "✓ Using existing DLQ: " in again
    assert "✓ Created job: id=2, name=ldv1" in again

    inline = typed(
        bec, """bec jobs create --name ocr --config-text '{"model": "tesseract", "lang": "bod"}'"""
    )
    assert "ocr is of job type ocrv1, the only one of the family ocr" in inline.err
    assert "✓ Created job: id=3, name=ocr" in inline.out
    assert "Input lines: ldv1 (the only job of type ldv1)" in inline.out
    spare = bec.ok("jobs", "show", "ocr", "--json").json
    refused = bec("jobs", "delete", "ldv1", "--yes")
    assert refused.code == 4
    assert "job ldv1 is read by ocr" in refused.err

    for name in ("ocr", "ldv1"):  # its queues stay, and serve as those that somebody made
        bec.ok("jobs", "delete", name, "--yes")
    custom = typed(
        bec,
        f"bec jobs create --name ldv1 --queue-url {spare['queue_url']} --dlq-url {spare['dlq_url']}"
        " --config ldv1-config.json",
    )
    assert "✓ Created job: id=4, name=ldv1" in custom.out
    assert rows(bec.ok("jobs", "list").out)[1][2] == "bec_ocr_tasks"
    bec.ok("jobs", "delete", "ldv1", "--yes")
    bec.ok("jobs", "create", "--name", "ldv1", "--config", "ldv1-config.json")


def manage(bec: Bec) -> None:
    """List, show, update and delete; the figures of a job that has done nothing yet."""
    listed = rows(typed(bec, "bec jobs list").out)
    assert listed[0] == ["ID", "Name", "Queue", "Config"]
    assert listed[1][:3] == ["5", "ldv1", "bec_ldv1_tasks"]
    assert listed[1][3].startswith('{"use_gp')
    assert listed[1][3].endswith("...")
    shown = typed(bec, "bec jobs show ldv1").out
    job = bec.ok("jobs", "show", "ldv1", "--json").json
    for line in (
        "Job 5",
        "Name: ldv1",
        f"Queue URL: {job['queue_url']}",
        f"DLQ URL: {job['dlq_url']}",
        "Configuration:",
    ):
        assert f"{line}\n" in shown
    assert json.loads(shown.partition("Configuration:\n")[2]) == json.loads(CONFIG)
    typed(bec, "bec jobs update ldv1 --config ldv1-config.json")
    assert typed(bec, "bec jobs delete ldv1 --yes").out == "✓ Deleted job: id=5, name=ldv1\n"

    bec.ok("jobs", "create", "--name", "ldv1", "--config", "ldv1-config.json")
    assert "  Total Tasks: 0\n" in typed(bec, "bec jobs stats ldv1").out
    for line in (
        "bec jobs tasks ldv1",
        "bec jobs tasks ldv1 --limit 20",
        "bec jobs tasks ldv1 --status done",
        "bec jobs tasks ldv1 --status retryable_failed --limit 50",
    ):
        assert len(rows(typed(bec, line).out)) == 1


def queue(bec: Bec) -> None:
    """Ask for volumes, count messages, purge; redrive where nothing lies."""
    sent = "✓ Enqueued {} to bec_ldv1_tasks"
    asked = typed(bec, "bec queue enqueue --job-name ldv1 --file volumes.txt").out
    assert sent.format("3 volumes") in asked
    asked = typed(bec, "bec queue enqueue --job-name ldv1 --volume W22084,I0886").out
    assert sent.format("0 volumes") in asked
    assert "Skipped 1 volume, " in asked
    both = "bec queue enqueue --job-name ldv1 --volume W22084,I0886 --volume W22084,I0887"
    assert "Skipped 2 volumes, " in typed(bec, both).out
    table = rows(typed(bec, "bec queue stats --job-name ldv1").out)
    assert table[0] == ["Metric", "Value"]
    assert [row[0] for row in table[1:6]] == [
        "Messages Available", "Messages In Flight", "Messages Delayed", "Created", "Last Modified",
    ]  # fmt: skip
    assert table[1][1] == "3"
    purged = typed(bec, "bec queue purge --job-name ldv1 --yes").out
    assert purged == "✓ Purged queue: bec_ldv1_tasks\n"
    assert available(bec) == "0"
    typed(bec, "bec jobs show ldv1")
    job = bec.ok("jobs", "show", "ldv1", "--json").json
    moved = typed(
        bec,
        f"bec queue redrive --source-queue-url {job['dlq_url']} --dest-queue-url {job['queue_url']}"
        " --max-messages 1000",
    )
    assert moved.out == "✓ Moved 0 messages to bec_ldv1_tasks\n"


def available(bec: Bec) -> str:
    return rows(bec.ok("queue", "stats", "--job-name", "ldv1").out)[1][1]


def work(bec: Bec) -> None:
    """A worker with a model, and one with all options."""
    job = bec.ok("jobs", "show", "ldv1", "--json").json
    good = ("--volume", "W22084,I0886", "--volume", "W1KG13780,I1KG15541")
    bec.ok("queue", "enqueue", "--job-name", "ldv1", *good)
    ended = typed(bec, f"bec worker --job-name ldv1 --model-path {Path('model.pth').resolve()} {SOON}")
    lines = ended.out.splitlines()
    bucket = lines[4].removeprefix("Dest bucket: ")
    assert lines[:8] == [
        "Starting BEC Worker", "Job: ldv1", "Region: us-east-1", "Source bucket: archive.tbrc.org",
        f"Dest bucket: {bucket}", f"Worker initialized: worker_id=1, job_id={job['id']}",
        f"Queue: {job['queue_url']}", f"DLQ: {job['dlq_url']}",
    ]  # fmt: skip
    assert bucket.startswith("artifacts-")
    assert lines[-2:] == ["Worker completed successfully", "Worker shutdown complete"]
    taken, succeeded = said(ended)
    assert taken == succeeded == ["W1KG13780/I1KG15541", "W22084/I0886"]

    bec.ok("queue", "enqueue", "--job-name", "ldv1", "--volume", "W22084,I0886", "--force")
    ended = typed(
        bec,
        "bec worker --job-name ldv1 --poll-wait 20 --visibility-timeout 300 --shutdown-after-empty 6"
        f" --s3-source-bucket archive.tbrc.org --s3-dest-bucket {DEST} --region us-east-1"
        f" --model-path {Path('model.pth').resolve()} {SOON}",
    )
    assert f"Dest bucket: {DEST}" in ended.out
    assert said(ended)[1] == ["W22084/I0886"]


def said(ended: Ended) -> tuple[list[str], list[str]]:
    """The volumes that a worker says it took, and those that it says it did."""
    taken = dict(re.findall(r"Processing message: (\S+) for volume (\S+)", ended.out))
    succeeded = re.findall(r"Successfully processed message: (\S+)", ended.out)
    return sorted(taken.values()), sorted(taken[message] for message in succeeded)


def quick_start(bec: Bec) -> None:
    """From nothing to figures, with a ``.env`` file and a bucket of its own."""
    bec.ok("jobs", "delete", "ldv1", "--yes")
    environment = Path(".env").read_text().replace("artifacts-", "quick-")
    Path(".env").write_text(f"{environment}BEC_LD_MODEL_PATH={Path('model.pth').resolve()}\n")
    made = typed(bec, f"bec jobs create --name ldv1 --config-text '{QUICK_CONFIG}'").out
    assert "✓ Created job: id=7, name=ldv1" in made
    bec.ok("jobs", "update", "ldv1", "--config-text", QUICK_CONFIG.replace("{", '{"max_attempts": 1,'))
    Path("volumes.txt").write_text(QUICK_VOLUMES)
    asked = typed(bec, "bec queue enqueue --job-name ldv1 --file volumes.txt").out
    assert "✓ Enqueued 3 volumes to bec_ldv1_tasks" in asked
    assert len(said(typed(bec, f"bec worker --job-name ldv1 {SOON}"))[0]) == 3
    stats = rows(typed(bec, "bec queue stats --job-name ldv1").out)
    assert [row[1] for row in stats[1:4]] == ["0", "0", "0"]
    figures(bec)
    assert bec.ok("audit", "--job-name", "ldv1", "--all").out == "✓ All fits\n"


def figures(bec: Bec) -> None:
    shown = typed(bec, "bec jobs stats ldv1").out
    assert shown.startswith("Job Statistics: ldv1 (id=7)\n\n")
    assert "Task Execution Status" in shown
    table = rows(shown)
    assert table[0] == ["Status", "Count", "Total Images", "Total Errors", "Avg Duration (ms)"]
    assert [row[:4] for row in table[1:3]] == [["done", "2", "2", "0"], ["terminal_failed", "1", "1", "1"]]
    assert re.search(
        r"Overall Totals:\n  Total Tasks: 3\n  Total Images: 3\n  Total Errors: 1\n"
        r"  Avg Duration per Task: \d+\.\d\d ms\n  Avg Duration per Page: \d+\.\d\d ms\n",
        shown,
    )
    tasks = typed(bec, "bec jobs tasks ldv1").out
    assert tasks.startswith("Recent Task Executions: ldv1 (id=7)\n\n")
    assert rows(tasks)[0] == ["ID", "Volume", "Status", "Images", "Errors", "Duration (s)", "Worker"]
    assert len(rows(tasks)) == 4
    done = rows(typed(bec, "bec jobs tasks ldv1 --status done").out)[1:]
    assert {row[1] for row in done} == {"W22084/I0886", "W1KG13780/I1KG15541"}
    failed = typed(bec, "bec jobs tasks ldv1 --status retryable_failed --limit 50").out
    assert len(rows(failed)) == 1


def more_workers(bec: Bec) -> None:
    """Three terminals and a screen, here one after the other: each takes what is left."""
    both = ("--volume", "W22084,I0886", "--volume", "W1KG13780,I1KG15541")
    bec.ok("queue", "enqueue", "--job-name", "ldv1", *both, "--force")
    done = [said(typed(bec, f"bec worker --job-name ldv1 {SOON}"))[1] for _ in range(4)]
    assert done == [["W1KG13780/I1KG15541", "W22084/I0886"], [], [], []]


def troubleshoot(bec: Bec, monkeypatch: pytest.MonkeyPatch, connection: psycopg.Connection) -> None:
    """What failed is looked at, redriven and worked on again, with the model said twice."""
    job = bec.ok("jobs", "show", "ldv1", "--json").json
    redrive = f"bec queue redrive --source-queue-url {job['dlq_url']} --dest-queue-url {job['queue_url']}"
    assert typed(bec, redrive).out == "✓ Moved 1 message to bec_ldv1_tasks\n"
    assert available(bec) == "1"
    failed = connection.execute(
        "SELECT * FROM task_executions WHERE job_id = %s"
        " AND status IN ('retryable_failed', 'terminal_failed') ORDER BY done_at DESC",
        (job["id"],),
    )
    assert failed.rowcount == 1
    model = Path("model.pth").resolve()
    monkeypatch.setenv("BEC_LD_MODEL_PATH", str(model))
    taken, succeeded = said(typed(bec, f"bec worker --job-name ldv1 --model-path {model} {SOON}"))
    assert (taken, succeeded) == (["W22084/I0887"], [])


def several_jobs(bec: Bec) -> None:
    """Each job gets queues of its own; the names say which plugin does the work, and what it reads."""
    bec.ok("jobs", "delete", "ldv1", "--yes")
    typed(bec, "bec jobs create --name ldv1 --config ldv1.json")
    second = typed(bec, "bec jobs create --name ldv2 --config ldv2.json")
    assert "ldv2 is of job type ldv1, the only one of the family ldv" in second.err
    ocr = typed(bec, "bec jobs create --name ocr --config ocr.json")
    assert "ocr is of job type ocrv1, the only one of the family ocr" in ocr.err
    assert "Input lines: ldv1 (of 2 jobs of type ldv1 the one named so)" in ocr.out
    shown = typed(bec, "bec jobs show ldv1").out
    assert re.search(r"Queue URL: \S+/bec_ldv1_tasks\nDLQ URL: \S+/bec_ldv1_dlq\n", shown)
    assert "Read by: ocr\n" in shown
    listed = rows(typed(bec, "bec jobs list").out)[1:]
    assert [row[1:3] for row in listed] == [[name, f"bec_{name}_tasks"] for name in ("ldv1", "ldv2", "ocr")]
