"""``bec queue``: enqueueing with all its refusals, figures, a look inside, emptying, redriving."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from bec_core.queues.base import SendFailure
from bec_core.queues.postgres import PostgresQueue
from support.cli import Bec, write_archive_volume

VOLUMES = """\ufeff# One volume per line: W_ID,I_ID or W_ID I_ID
W22084,I0886
W22084 I0887
  W1KG13780 , I1KG15541   # with a comment
\tW22084\tI0888\r
W22084/I0889

"""


@pytest.fixture
def job(bec: Bec) -> Bec:
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", '{"max_attempts": 1}')
    return bec


def worker(bec: Bec) -> None:
    bec.ok("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")


def test_a_file_of_volumes_in_every_form(job: Bec, tmp_path: Path) -> None:
    (tmp_path / "volumes.txt").write_text(VOLUMES, encoding="utf-8")
    done = job.ok("queue", "enqueue", "--job-name", "checksum", "--file", "volumes.txt")
    assert done.out == "✓ Enqueued 5 volumes to bec_checksum_tasks\n"
    sent = {entry["volume"] for entry in job.ok("queue", "peek", "--job-name", "1", "--json").json}
    assert sent == {"W22084/I0886", "W22084/I0887", "W1KG13780/I1KG15541", "W22084/I0888", "W22084/I0889"}


def test_standard_input(job: Bec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"W1,I1\nW1,I2\n")))
    done = job.ok("queue", "enqueue", "--job-name", "checksum", "--file", "-", "--limit", "1")
    assert done.out == "✓ Enqueued 1 volume to bec_checksum_tasks\nSkipped 1 volume, over the limit: W1/I2\n"


def test_bad_lines_are_named_with_their_numbers_and_nothing_is_sent(job: Bec, tmp_path: Path) -> None:
    (tmp_path / "volumes.txt").write_text("W1,I1\n\nW2\n# x\nW3,I3,v1,z\n../x,I1\n")
    refused = job("queue", "enqueue", "--job-name", "checksum", "--file", "volumes.txt")
    assert refused.code == 2
    assert "volumes.txt: 3 bad lines; nothing was enqueued" in refused.err
    for line in ("line 3: 'W2' is not a volume", "line 5: 'W3,I3,v1,z'", "line 6: "):
        assert line in refused.err
    assert job.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 0


def test_a_source_that_cannot_be_opened_is_tried_once_and_is_no_lines_fault(
    job: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line of forty thousand looked for credentials anew: half an hour, to say so of every line."""
    monkeypatch.setenv("BEC_SOURCE_URL", "s3://archive")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    tried = []
    monkeypatch.setattr("boto3.Session.get_credentials", lambda session: tried.append(session))
    (tmp_path / "volumes.txt").write_text("W1,I1\nW1,I2\n")
    refused = job("queue", "enqueue", "--job-name", "checksum", "--file", "volumes.txt")
    assert refused.code == 2
    assert "there are no AWS credentials" in refused.err
    assert "line" not in refused.err
    assert len(tried) == 1


def test_a_file_that_is_no_text(job: Bec, tmp_path: Path) -> None:
    (tmp_path / "volumes.txt").write_bytes(b"W1,I1\n\xff\xfe\n")
    refused = job("queue", "enqueue", "--job-name", "checksum", "--file", "volumes.txt")
    assert refused.code == 2
    assert "volumes.txt is not UTF-8 text" in refused.err


def test_what_waits_is_not_queued_twice(job: Bec) -> None:
    two = ["--volume", "W1,I1", "--volume", "W1,I2"]
    job.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1")
    again = job.ok("queue", "enqueue", "--job-name", "checksum", *two, "--volume", "W1 I2")
    assert again.out == (
        "✓ Enqueued 1 volume to bec_checksum_tasks\n"
        "Skipped 1 volume, named twice: W1/I2\n"
        "Skipped 1 volume, waiting already: W1/I1\n"
    )
    assert job.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 2
    forced = job.ok("queue", "enqueue", "--job-name", "checksum", *two, "--force", "--json").json
    assert [ref["i_id"] for ref in forced["sent"]] == ["I1", "I2"]
    assert job.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 4


def test_a_dry_run_writes_nothing(job: Bec) -> None:
    volume = ["--volume", "W1,I1"]
    assert job.ok("queue", "enqueue", "--job-name", "checksum", *volume, "--dry-run").out.startswith(
        "Would enqueue 1 volume"
    )
    assert job.ok("jobs", "stats", "checksum", "--json").json["progress"]["asked"] == 0
    assert job.ok("queue", "enqueue", "--job-name", "checksum", *volume).out.startswith("✓ Enqueued 1 volume")


def test_what_is_done_is_skipped_until_it_changes_or_is_forced(job: Bec, tmp_path: Path) -> None:
    archive, volume = tmp_path / "archive", ["--volume", "W1,I0001"]
    write_archive_volume(archive, "W1", "I0001", [b"a"])
    job.ok("queue", "enqueue", "--job-name", "checksum", *volume)
    worker(job)
    skipped = job.ok("queue", "enqueue", "--job-name", "checksum", *volume)
    assert "Skipped 1 volume, done at this version: W1/I0001\n" in skipped.out
    assert "--force" in skipped.err

    write_archive_volume(archive, "W1", "I0001", [b"a", b"b"])  # a new version of the volume
    assert "✓ Enqueued 1 volume" in job.ok("queue", "enqueue", "--job-name", "checksum", *volume).out
    worker(job)
    assert job.ok("jobs", "stats", "checksum", "--json").json["total_tasks"] == 2

    marker = next((tmp_path / "artifacts/checksum/W1/I0001").glob("*/success.json"))
    job.ok("queue", "enqueue", "--job-name", "checksum", *volume, "--force")
    worker(job)
    tasks = job.ok("jobs", "tasks", "checksum", "--json").json
    assert [task["attempt"] for task in tasks] == [2, 1]
    assert marker.exists()


def test_two_at_once_send_each_volume_once(job: Bec, tmp_path: Path) -> None:
    (tmp_path / "volumes.txt").write_text("".join(f"W1,I{n:04d}\n" for n in range(500)))
    command = [
        sys.executable,
        "-m",
        "bec_cli",
        "queue",
        "enqueue",
        "--job-name",
        "checksum",
        "--file",
        "volumes.txt",
    ]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    sent = sorted(process.communicate()[0].splitlines()[0] for process in both)
    assert sent == ["✓ Enqueued 0 volumes to bec_checksum_tasks"] * 2 + [
        "✓ Enqueued 500 volumes to bec_checksum_tasks"
    ]
    assert job.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 500


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_what_was_not_sent_before_a_crash_is_sent_next_time(
    job: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: list[str]
) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"a"])
    command = ["queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001"]
    if force:
        job.ok(*command)
        worker(job)
    with monkeypatch.context() as broken:
        broken.setattr(PostgresQueue, "send", _lights_out)
        assert job(*command, *force).code == 1
    assert job.ok("jobs", "stats", "checksum", "--json").json["progress"]["waiting"] == 1
    assert job.ok(*command).out == "✓ Enqueued 1 volume to bec_checksum_tasks\n"
    worker(job)
    tasks = job.ok("jobs", "tasks", "checksum", "--json").json
    assert [(task["status"], task["attempt"]) for task in tasks] == [("done", 2 if force else 1)]


def _lights_out(*_: object) -> None:
    raise RuntimeError("lights out")


def test_what_the_queue_refuses_is_named_and_sent_next_time(
    job: Bec, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1", "--volume", "W1,I2"]
    with monkeypatch.context() as picky:
        send = PostgresQueue.send
        picky.setattr(
            PostgresQueue,
            "send",
            lambda queue, messages: [*send(queue, messages[:1]), SendFailure(1, "too blue")],
        )
        refused = job(*command)
    assert refused.code == 6
    assert "✓ Enqueued 1 volume" in refused.out
    assert "not sent: W1/I2: too blue" in refused.err
    again = job.ok(*command)
    assert again.out.startswith("✓ Enqueued 1 volume")
    assert "waiting already: W1/I1" in again.out


def test_the_guides_table_of_figures(job: Bec) -> None:
    lines = job.ok("queue", "stats", "--job-name", "checksum").out.splitlines()
    rows = [
        [cell.strip() for cell in line.strip("┃│").replace("│", "┃").split("┃")]
        for line in lines
        if line[0] in "┃│"
    ]
    assert rows[0] == ["Metric", "Value"]
    assert [row[0] for row in rows[1:6]] == [
        "Messages Available", "Messages In Flight", "Messages Delayed", "Created", "Last Modified",
    ]  # fmt: skip


def test_purging_asks_and_lets_the_ledger_forget(job: Bec) -> None:
    job.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1")
    assert job.ok("queue", "purge", "--job-name", "checksum", "--dry-run").out == (
        "Would delete 1 message of bec_checksum_tasks\n"
    )
    assert job("queue", "purge", "--job-name", "checksum").code == 2
    purged = job.ok("queue", "purge", "--job-name", "checksum", "--yes")
    assert purged.out == "✓ Purged queue: bec_checksum_tasks\n"
    assert job.ok("jobs", "stats", "checksum", "--json").json["progress"]["asked"] == 0
    assert (
        "✓ Enqueued 1 volume" in job.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1").out
    )


def failing(job: Bec, root: Path) -> None:
    """Three volumes that fail, each in its way."""
    for i_id, page in (("I0001", b"!terminal"), ("I0002", b"!retryable"), ("I0003", b"!unexpected")):
        write_archive_volume(root / "archive", "W1", i_id, [page])
        job.ok("queue", "enqueue", "--job-name", "checksum", "--volume", f"W1,{i_id}")
    worker(job)
    assert job.ok("queue", "stats", "--job-name", "checksum", "--json").json["dead_letters"] == 3


def test_the_guides_redrive_moves_whole_messages(job: Bec, tmp_path: Path) -> None:
    failing(job, tmp_path)
    urls = [
        "--source-queue-url",
        "postgres:///bec_checksum_dlq",
        "--dest-queue-url",
        "postgres:///bec_checksum_tasks",
    ]
    assert (
        job.ok("queue", "redrive", *urls, "--dry-run").out == "Would move 3 messages to bec_checksum_tasks\n"
    )
    assert (
        job.ok("queue", "redrive", *urls, "--max-messages", "2").out
        == "✓ Moved 2 messages to bec_checksum_tasks\n"
    )
    figures = job.ok("queue", "stats", "--job-name", "checksum", "--json").json
    assert (figures["available"], figures["dead_letters"]) == (2, 1)
    assert job.ok("jobs", "stats", "checksum", "--json").json["progress"]["waiting"] == 2
    again = job.ok("queue", "peek", "--job-name", "checksum", "--json").json
    assert all(not name.startswith("error") for message in again for name in message["attributes"])


def test_a_cancelled_jobs_messages_come_back(job: Bec, tmp_path: Path) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"a"])
    job.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    job.ok("jobs", "cancel", "checksum")
    worker(job)
    job.ok("jobs", "resume", "checksum")
    back = job.ok("queue", "redrive", "--job-name", "checksum", "--all-messages")
    assert back.out == "✓ Moved 1 message to bec_checksum_tasks\n"
    worker(job)
    assert job.ok("jobs", "stats", "checksum", "--json").json["progress"]["done"] == 1


def test_redrive_by_what_the_database_says(job: Bec, tmp_path: Path) -> None:
    failing(job, tmp_path)
    redrive = ["queue", "redrive", "--job-name", "checksum"]
    would = job.ok(*redrive, "--error", "KeyError", "--dry-run")
    assert would.out == "Would queue 1 volume again\n  W1/I0003  terminal_failed  KeyError\n"
    assert (
        job.ok(*redrive, "--status", "retryable_failed", "--dry-run").out == "Would queue 0 volumes again\n"
    )
    assert len(job.ok(*redrive, "--since", "1h", "--sample", "2", "--dry-run", "--json").json) == 2
    assert job.ok(*redrive, "--since", "2999-01-01", "--dry-run").out == "Would queue 0 volumes again\n"

    write_archive_volume(tmp_path / "archive", "W1", "I0003", [b"mended"])
    assert job.ok(*redrive, "--error", "KeyError").out == "✓ Queued 1 volume again; removed 1 dead letter\n"
    worker(job)
    progress = job.ok("jobs", "stats", "checksum", "--json").json["progress"]
    assert (progress["done"], progress["failed"]) == (1, 2)
    left = job.ok("queue", "peek", "--job-name", "checksum", "--dlq", "--json").json
    assert {message["volume"] for message in left} == {"W1/I0001", "W1/I0002"}


def test_a_volume_that_was_mended_since_is_not_redriven(job: Bec, tmp_path: Path) -> None:
    failing(job, tmp_path)
    write_archive_volume(tmp_path / "archive", "W1", "I0003", [b"mended"])
    job.ok("queue", "redrive", "--job-name", "checksum", "--error", "KeyError")
    worker(job)
    assert job.ok("queue", "redrive", "--job-name", "checksum", "--error", "KeyError", "--dry-run").out == (
        "Would queue 0 volumes again\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--job-name", "checksum", "--source-queue-url", "x", "--dest-queue-url", "y"],
        ["--source-queue-url", "postgres:///bec_checksum_dlq"],
        ["--job-name", "checksum", "--max-messages", "3"],
        ["--source-queue-url", "x", "--dest-queue-url", "y", "--error", "KeyError"],
        ["--job-name", "checksum", "--since", "yesterday"],
        ["--job-name", "checksum", "--all-messages", "--error", "KeyError"],
    ],
)
def test_redrives_that_make_no_sense(job: Bec, arguments: list[str]) -> None:
    assert job("queue", "redrive", *arguments).code == 2


def test_stale_and_force_are_two_questions_and_a_queue_is_not_moved_into_itself(job: Bec) -> None:
    both = job("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1", "--force", "--stale")
    assert (both.code, "give one" in both.err) == (2, True)
    none = job.ok("queue", "enqueue", "--job-name", "checksum", "--stale")
    assert none.out == "✓ Enqueued 0 volumes to bec_checksum_tasks\n"
    url = "postgres:///bec_checksum_dlq"
    same = job("queue", "redrive", "--source-queue-url", url, "--dest-queue-url", url)
    assert (same.code, "one queue" in same.err) == (2, True)
