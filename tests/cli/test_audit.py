"""``bec audit``: each kind of disagreement is found, and repaired."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import psycopg
import pytest

from support.cli import Bec, write_archive_volume
from support.services import PostgresServer

AUDIT = ["audit", "--job-name", "checksum", "--json"]
REPAIR = ["audit", "--job-name", "checksum", "--repair", "--yes", "--json"]


@pytest.fixture
def sql(bec: Bec, postgres: PostgresServer) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres.dsn(os.environ["BEC_SQL_DATABASE"]), autocommit=True) as connection:
        yield connection


@pytest.fixture
def done(bec: Bec, tmp_path: Path) -> Bec:
    """A job that has done three volumes."""
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", '{"max_attempts": 1}')
    for n in (1, 2, 3):
        write_archive_volume(tmp_path / "archive", "W1", f"I000{n}", [b"page %d" % n])
        bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", f"W1,I000{n}")
    work(bec)
    assert bec.ok(*AUDIT).json["findings"] == []
    return bec


def work(bec: Bec) -> None:
    bec.ok("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")


def folder(tmp_path: Path, i_id: str) -> Path:
    return next((tmp_path / "artifacts/checksum/W1" / i_id).iterdir())


def found(bec: Bec) -> list[tuple[str, str]]:
    ended = bec(*AUDIT)
    findings = [(one["kind"], one["volume"]) for one in ended.json["findings"]]
    assert ended.code == (6 if findings else 0)
    return findings


def test_a_row_without_its_marker_is_done_again(done: Bec, tmp_path: Path) -> None:
    (folder(tmp_path, "I0002") / "success.json").unlink()
    assert found(done) == [("row-without-marker", "W1/I0002")]
    assert done.ok(*REPAIR).json["queued_again"] == ["W1/I0002"]
    assert found(done) == []  # it waits now
    work(done)
    assert (folder(tmp_path, "I0002") / "success.json").exists()
    assert found(done) == []


def test_a_marker_without_its_row_makes_the_row(
    done: Bec, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    sql.execute("DELETE FROM task_executions WHERE id = 1")
    assert sorted(found(done)) == [("ledger-ahead", "W1/I0001"), ("marker-without-row", "W1/I0001")]
    done(*REPAIR)
    row = sql.execute("SELECT status, total_images FROM task_executions WHERE volume_id = 1").fetchone()
    assert row == ("done", 1)


def test_a_marker_of_the_old_line_that_names_no_etag(
    done: Bec, tmp_path: Path, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    for n in (1, 2):
        marker = folder(tmp_path, f"I000{n}") / "success.json"
        content = json.loads(marker.read_text())
        del content["input_etag"], content["artifacts"]
        marker.write_text(json.dumps(content))
    sql.execute("DELETE FROM ledger")
    sql.execute("DELETE FROM task_executions WHERE id < 3")
    write_archive_volume(tmp_path / "archive", "W1", "I0002", [b"changed", b"since"])
    assert len(found(done)) == 2
    ended = done(*REPAIR)
    assert ended.code == 6
    assert [one["volume"] for one in ended.json["left"]] == ["W1/I0002"]
    assert sql.execute("SELECT count(*) FROM task_executions").fetchone() == (2,)


def test_what_was_asked_for_and_is_nowhere(
    done: Bec, tmp_path: Path, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    for n in (4, 5, 6):
        write_archive_volume(tmp_path / "archive", "W1", f"I000{n}", [b"x"])
        done.ok("queue", "enqueue", "--job-name", "checksum", "--volume", f"W1,I000{n}")
    sql.execute("DELETE FROM queue_messages WHERE body LIKE '%I0004%'")
    sql.execute("DELETE FROM queue_messages WHERE body LIKE '%I0005%'")
    assert found(done) == []  # sent a moment ago: a queue may not know of it yet
    sql.execute(
        "UPDATE ledger SET sent_at = sent_at - interval '1 hour', requested_at = now() - interval '1 hour'"
    )
    sql.execute(
        "UPDATE ledger SET sent_at = NULL FROM volumes v WHERE v.id = volume_id AND v.bdrc_i_id = 'I0005'"
    )
    assert sorted(found(done)) == [("ledger-nowhere", "W1/I0004"), ("ledger-unsent", "W1/I0005")]
    assert sorted(done.ok(*REPAIR).json["queued_again"]) == ["W1/I0004", "W1/I0005"]
    work(done)
    assert done.ok("jobs", "stats", "checksum", "--json").json["progress"]["done"] == 6


def test_the_ledger_is_corrected(done: Bec, sql: psycopg.Connection[tuple[object, ...]]) -> None:
    sql.execute("UPDATE ledger SET state = 'failed' WHERE volume_id = 1")
    assert found(done) == [("ledger-behind", "W1/I0001")]
    done.ok(*REPAIR)
    assert sql.execute("SELECT state FROM ledger WHERE volume_id = 1").fetchone() == ("done",)


def test_a_lease_that_everybody_forgot(
    done: Bec, sql: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    (folder(tmp_path, "I0003") / "success.json").unlink()
    sql.execute(
        "UPDATE task_executions SET status = 'running', lease_expires_at = now() - interval '1 hour' WHERE id = 3"
    )
    assert ("lease-forgotten", "W1/I0003") in found(done)
    done(*REPAIR)
    work(done)
    assert found(done) == []


def test_artifacts_are_held_against_their_marker(done: Bec, tmp_path: Path) -> None:
    first = next(path for path in folder(tmp_path, "I0001").iterdir() if path.name != "success.json")
    second = next(path for path in folder(tmp_path, "I0002").iterdir() if path.name != "success.json")
    third = next(path for path in folder(tmp_path, "I0003").iterdir() if path.name != "success.json")
    first.unlink()
    second.write_bytes(second.read_bytes() + b" ")
    data = third.read_bytes()
    third.write_bytes(data[:-3] + b"0" + data[-2:])
    assert done(*AUDIT, "--sample", "0").json["findings"] == []
    assert sorted(found(done)) == [
        ("artifact-differs", "W1/I0002"),
        ("artifact-differs", "W1/I0003"),
        ("artifact-missing", "W1/I0001"),
    ]
    assert len(done.ok(*REPAIR, "--all").json["queued_again"]) == 3
    work(done)
    assert found(done) == []
    assert third.read_bytes() == data


def test_sqs_tells_only_how_many(
    bec: Bec, sql: psycopg.Connection[tuple[object, ...]], moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("BEC_QUEUE", "sqs"),
        ("BEC_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", moto_url),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
    ):
        monkeypatch.setenv(name, value)
    bec.ok("jobs", "create", "--name", "checksum")
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume=W1,I1", "--volume=W1,I2", "--volume=W1,I3")
    sql.execute(
        "UPDATE ledger SET sent_at = now() - interval '1 hour', requested_at = now() - interval '1 hour'"
    )
    assert found(bec) == []
    url = bec.ok("jobs", "show", "checksum", "--json").json["queue_url"]
    sqs = boto3.client("sqs", endpoint_url=moto_url, region_name="us-east-1")
    taken = sqs.receive_message(QueueUrl=url)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=taken["ReceiptHandle"])
    short = bec(*AUDIT).json["findings"]
    assert [(one["kind"], one["mendable"]) for one in short] == [("queue-short", False)]
    assert short[0]["detail"].startswith("2 messages, 3 volumes wait")
    sqs.purge_queue(QueueUrl=url)
    assert sorted(found(bec)) == [("ledger-nowhere", f"W1/I{n}") for n in (1, 2, 3)]
    bec.ok(*REPAIR)
    assert bec.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 3


def test_orphans_are_named_and_left(done: Bec, tmp_path: Path) -> None:
    stray = tmp_path / "artifacts/checksum/W1/I0099/abcdef/W1-I0099-abcdef.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    assert found(done) == [("orphan", "W1/I0099")]
    ended = done(*REPAIR)
    assert ended.code == 6
    assert stray.exists()


def test_for_people(done: Bec, tmp_path: Path) -> None:
    assert done.ok("audit", "--job-name", "checksum").out == "✓ All fits\n"
    (folder(tmp_path, "I0002") / "success.json").unlink()
    ended = done("audit", "--job-name", "checksum")
    assert ended.code == 6
    assert "its row says done, but no marker stands" in ended.out
    refused = done("audit", "--job-name", "checksum", "--repair")
    assert refused.code == 2
    assert "say --yes" in refused.err
    assert done("audit", "--job-name", "checksum", "--repair", "--dry-run").code == 6
    assert (
        "✓ Mended 1 finding; queued 1 volume again; left 0"
        in done.ok("audit", "--job-name", "checksum", "--repair", "--yes").out
    )


def given_up(sql: psycopg.Connection[tuple[object, ...]]) -> None:
    """The first volume's task was given up, and then its marker came through."""
    sql.execute(
        "UPDATE task_executions SET status = 'terminal_failed', failures = 3, error_type = 'KeyError' WHERE id = 1"
    )
    sql.execute("UPDATE ledger SET state = 'failed' WHERE volume_id = 1")


def test_a_late_marker_is_listed_and_settled(
    done: Bec, tmp_path: Path, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    given_up(sql)
    assert found(done) == [("late-marker", "W1/I0001")]
    done(*REPAIR)
    assert sql.execute("SELECT status FROM task_executions WHERE id = 1").fetchone() == ("done",)
    assert sql.execute("SELECT state FROM ledger WHERE volume_id = 1").fetchone() == ("done",)
    assert found(done) == []


def test_a_late_marker_that_is_damaged_or_answers_an_earlier_request_is_listed_and_not_believed(
    done: Bec, tmp_path: Path, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    given_up(sql)
    sql.execute("UPDATE ledger SET request = 2 WHERE volume_id = 1")
    (one,) = [one for one in done(*AUDIT).json["findings"] if one["kind"] == "late-marker"]
    assert "it answers request 0, the latest is 2" in one["detail"]
    sql.execute("UPDATE ledger SET request = 0 WHERE volume_id = 1")
    artifact = next(one for one in folder(tmp_path, "I0001").iterdir() if one.name != "success.json")
    artifact.write_bytes(b"another attempt's")
    findings = done(*AUDIT).json["findings"]
    assert any("not believed" in one["detail"] for one in findings if one["kind"] == "late-marker")
    done(*REPAIR)
    assert sql.execute("SELECT status FROM task_executions WHERE id = 1").fetchone() == ("terminal_failed",)


def test_what_an_older_recipe_did_is_counted_and_fits(
    done: Bec, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    sql.execute("UPDATE task_executions SET recipe = 'an older one' WHERE id IN (1, 2)")
    sql.execute("UPDATE task_executions SET recipe = NULL WHERE id = 3")  # unknown, never older
    ended = done(*AUDIT)
    (one,) = ended.json["findings"]
    assert (one["kind"], ended.code) == ("older-recipe", 0)
    assert one["detail"].startswith("2 volumes")


def test_kept_pages_that_nobody_needs_are_removed(done: Bec, tmp_path: Path) -> None:
    def keep(job: str, i_id: str, version: str) -> Path:
        path = tmp_path / "artifacts/.bec/parts" / job / "W1" / i_id / version / "0000000001-000000.part"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"pages")
        os.utime(path, (0, 0))
        return path

    version = folder(tmp_path, "I0001").name
    left = [keep("checksum", "I0001", version), keep("checksum", "I0009", "abcdef")]
    young = keep("checksum", "I0002", folder(tmp_path, "I0002").name)
    os.utime(young)
    others = keep("another", "I0001", version)
    assert sorted(found(done)) == [("parts-left", "W1/I0001"), ("parts-left", "W1/I0009")]
    done.ok(*REPAIR)
    assert [path.exists() for path in (*left, young, others)] == [False, False, True, True]
    done.ok("jobs", "delete", "checksum", "--yes")
    assert [path.exists() for path in (young, others)] == [False, True]


def test_kept_pages_of_an_unfinished_volume_stay(
    done: Bec, tmp_path: Path, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    path = tmp_path / "artifacts/.bec/parts/checksum/W1/I0001" / folder(tmp_path, "I0001").name / "1-1.part"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"pages")
    os.utime(path, (0, 0))
    sql.execute("UPDATE task_executions SET status = 'retryable_failed' WHERE volume_id = 1")
    assert ("parts-left", "W1/I0001") not in found(done)
