"""``bec gc``, ``bec jobs log``, and a message that nobody asked for: through the command line."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bec_core.admin.session import Session
from bec_core.models import OutgoingMessage, VolumeRef, encode_message
from bec_core.settings import load_settings
from support.cli import Bec, write_archive_volume

JOB = ("--job-name", "checksum")
VOLUME = ("--volume", "W1,I0001")


@pytest.fixture
def job(bec: Bec) -> Bec:
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", '{"max_attempts": 1}')
    return bec


def work(bec: Bec) -> None:
    bec.ok("worker", *JOB, "--poll-wait", "0", "--shutdown-after-empty", "1")


def versions(tmp_path: Path) -> set[str]:
    return {path.parent.name for path in (tmp_path / "artifacts/checksum/W1/I0001").glob("*/success.json")}


def _connection() -> psycopg.Connection[tuple[Any, ...]]:
    settings = load_settings()
    return psycopg.connect(
        f"host={settings.sql_host} user={settings.sql_user} dbname={settings.sql_database}"
    )


def send(message: OutgoingMessage, *, dlq: bool = False) -> None:
    with Session(load_settings()) as session:
        queue = session.queue(f"postgres:///bec_checksum_{'dlq' if dlq else 'tasks'}")
        assert queue.send([message]) == []


def test_earlier_versions_leftovers_and_answered_letters_go_and_the_rest_stays(
    job: Bec, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    write_archive_volume(archive, "W1", "I0001", [b"a"])
    job.ok("queue", "enqueue", *JOB, *VOLUME)
    work(job)
    (first,) = versions(tmp_path)
    assert "Nothing of job checksum can go" in job.ok("gc", *JOB).out

    write_archive_volume(archive, "W1", "I0001", [b"a", b"b"])
    job.ok("queue", "enqueue", *JOB, *VOLUME)
    assert job.ok("gc", *JOB, "--json").json["found"] == []  # it is not done anew yet
    work(job)
    (second,) = versions(tmp_path) - {first}
    leftover = tmp_path / "artifacts/checksum/W9/I0001/abcdef/W9-I0001-abcdef.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"12345")
    job.ok("gc", *JOB)
    os.utime(leftover, (time.time() - 90_000,) * 2)
    send(encode_message(VolumeRef("W1", "I0001")), dlq=True)
    send(encode_message(VolumeRef("W7", "I0001")), dlq=True)

    listed = job.ok("gc", *JOB, "--json").json
    assert {(one["kind"], one["ref"]["w_id"], one["version"]) for one in listed["found"]} == {
        ("superseded", "W1", first), ("leftover", "W9", "abcdef"), ("dead-letter", "W1", None),
    }  # fmt: skip
    assert "Can go: 1 dead-letter, 1 leftover, 1 superseded" in job.ok("gc", *JOB).out
    assert versions(tmp_path) == {first, second}

    removed = job.ok("gc", *JOB, "--yes")
    assert "✓ Removed 2 folders" in removed.out
    assert "and 1 dead letter" in removed.out
    assert versions(tmp_path) == {second}
    assert not leftover.exists()
    stats = job.ok("queue", "stats", *JOB, "--json").json
    assert stats["dead_letters"] == 1
    assert job("audit", *JOB, "--yes").code == 0
    assert "Nothing of job checksum can go" in job.ok("gc", *JOB, "--yes").out

    write_archive_volume(archive, "W1", "I0001", [b"a"])  # back to the first version: it is done again
    job.ok("queue", "enqueue", *JOB, *VOLUME)
    work(job)
    assert versions(tmp_path) == {first, second}
    assert job("audit", *JOB, "--yes").code == 0
    (found,) = job.ok("gc", *JOB, "--json").json["found"]
    assert found["version"] == second


def test_a_version_that_a_standing_result_was_made_from_or_that_is_at_hand_stays(
    job: Bec, tmp_path: Path
) -> None:
    for pages in ([b"a"], [b"a", b"b"]):
        write_archive_volume(tmp_path / "archive", "W1", "I0001", pages)
        job.ok("queue", "enqueue", *JOB, *VOLUME)
        work(job)
    (superseded,) = job.ok("gc", *JOB, "--json").json["found"]
    job.ok("jobs", "create", "--name", "reader", "--type", "checksum")
    with _connection() as connection:
        connection.execute(
            "INSERT INTO job_inputs (job_id, name, input_job_id) SELECT r.id, 'x', c.id FROM jobs r, jobs c"
            " WHERE r.name = 'reader' AND c.name = 'checksum'"
        )
        connection.execute(
            "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, done_at)"
            " SELECT r.id, t.volume_id, t.s3_etag, 'done', now() FROM jobs r, task_executions t"
            " WHERE r.name = 'reader' AND t.version = %s",
            (superseded["version"],),
        )
    assert job.ok("gc", *JOB, "--json").json["found"] == []
    with _connection() as connection:  # it is done anew
        connection.execute(
            "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, done_at)"
            " SELECT r.id, t.volume_id, t.s3_etag, 'done', now() + interval '1 minute' FROM jobs r, task_executions t"
            " JOIN jobs c ON c.id = t.job_id WHERE (r.name, c.name) = ('reader', 'checksum') AND t.version <> %s",
            (superseded["version"],),
        )
    assert len(job.ok("gc", *JOB, "--json").json["found"]) == 1


def test_what_operators_did_is_kept_with_who_and_when_also_of_a_deleted_job(job: Bec) -> None:
    job.ok("queue", "enqueue", *JOB, *VOLUME)
    job.ok("jobs", "pause", "checksum")
    job.ok("jobs", "resume", "checksum")
    job.ok("queue", "enqueue", *JOB, *VOLUME, "--force")
    job.ok("jobs", "update", "checksum", "--config-text", "{}")
    job.ok("queue", "purge", *JOB, "--yes")
    job.ok("queue", "purge", *JOB, "--dlq", "--yes")
    job.ok("queue", "redrive", *JOB, "--all-messages")
    job.ok("jobs", "pause", "checksum", "--dry-run")
    shown = job.ok("jobs", "show", "checksum")
    assert shown.out.count("Done to it: ") == 3
    assert "Done to it: redrive (0), " in shown.out
    assert len(job.ok("jobs", "show", "checksum", "--json").json["actions"]) == 3
    job.ok("jobs", "delete", "checksum", "--yes")
    found = job.ok("jobs", "log", "--json").json
    assert [(one["action"], one["number"]) for one in reversed(found)] == [
        ("pause", None), ("resume", None), ("force", 1), ("update", None), ("purge", 1), ("purge", 0),
        ("redrive", 0), ("delete", 0),
    ]  # fmt: skip
    assert {one["job_name"] for one in found} == {"checksum"}
    assert all("@" in one["who"] and one["at"] for one in found)
    table = job.ok("jobs", "log", "--limit", "4")
    assert "delete" in table.out
    assert "dead_letters true" in table.out
    assert "pause" not in table.out


def test_a_message_that_nobody_asked_for_gets_its_entry(job: Bec, tmp_path: Path) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"a"])
    send(encode_message(VolumeRef("W1", "I0001")))
    send(encode_message(VolumeRef("W2", "I0001")))  # there is none
    work(job)
    with _connection() as connection:
        rows = connection.execute(
            "SELECT v.bdrc_w_id, l.state, l.sent_at IS NOT NULL, l.reason FROM ledger l"
            " JOIN volumes v ON v.id = l.volume_id ORDER BY 1"
        ).fetchall()
    assert [row[:3] for row in rows] == [("W1", "done", True), ("W2", "failed", True)]
    assert rows[1][3].startswith("ManifestMissing")


def test_new_and_changed_through_the_command_line(job: Bec, tmp_path: Path) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"a"])
    enqueue = ("queue", "enqueue", *JOB, "--new", "--changed")
    dry = job.ok(*enqueue, "--dry-run")
    assert dry.out == "Would enqueue 1 volume to bec_checksum_tasks\n"
    assert "1 volume listed in 256 of 256 parts of bdrc" in dry.err
    done = job.ok(*enqueue, "--json").json
    assert [one["i_id"] for one in done["sent"]] == ["I0001"]
    assert done["listed"] == {"volumes": 1, "parts": 256, "parts_seen": 256}
    for more in (VOLUME, ("--force",), ("--stale",), ("--done-by", "checksum"), ("--with-inputs",)):
        assert job(*enqueue, *more).code == 2
