"""``bec jobs adopt``: a lost database is rebuilt from the bucket, and an earlier system's results are taken over."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bec_core.admin import adopting
from support.cli import Bec, write_archive_volume
from support.services import PostgresServer

_ROWS = """
    SELECT v.bdrc_w_id, v.bdrc_i_id, encode(v.last_s3_etag, 'hex'), v.nb_images, encode(t.s3_etag, 'hex'), t.version,
           t.status::text, t.total_images, t.nb_errors, t.errors_by_stage, t.recipe, t.request, t.artifact_root,
           t.artifacts, t.lineage, t.metrics, t.total_duration_ms,
           t.wall_clock_duration_ms, extract(epoch FROM t.done_at)::float8
    FROM task_executions t JOIN volumes v ON v.id = t.volume_id ORDER BY 1, 2, 6
"""
_LEDGER = "SELECT volume_id, source, i_version, state, request FROM ledger ORDER BY volume_id"


def rows(postgres: PostgresServer, query: str) -> list[Any]:
    with psycopg.connect(postgres.dsn(os.environ["BEC_SQL_DATABASE"])) as connection:
        return connection.execute(query.encode()).fetchall()


def work(bec: Bec) -> None:
    bec.ok("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")


@pytest.fixture
def done(bec: Bec, tmp_path: Path) -> Bec:
    """Three volumes done, one of them in two versions and by force."""
    bec.ok("jobs", "create", "--name", "checksum")
    for n in (1, 2, 3):
        write_archive_volume(tmp_path / "archive", "W1", f"I000{n}", [b"page %d" % n])
    volumes = [word for n in (1, 2, 3) for word in ("--volume", f"W1,I000{n}")]
    bec.ok("queue", "enqueue", "--job-name", "checksum", *volumes)
    work(bec)
    write_archive_volume(tmp_path / "archive", "W1", "I0002", [b"page", b"more"])
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0002", "--force")
    work(bec)
    return bec


@pytest.fixture
def lose(done: Bec, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is lost; there is a new one, and the job was made anew."""
    name = f"t_{uuid.uuid4().hex}"
    postgres.new_database(name)
    monkeypatch.setenv("BEC_SQL_DATABASE", name)
    done.ok("jobs", "create", "--name", "checksum")


def test_a_lost_database_is_rebuilt_from_the_bucket(
    done: Bec, postgres: PostgresServer, request: pytest.FixtureRequest
) -> None:
    before, asked = rows(postgres, _ROWS), rows(postgres, _LEDGER)
    request.getfixturevalue("lose")
    assert rows(postgres, _ROWS) == []
    would = done.ok("jobs", "adopt", "checksum", "--dry-run")
    assert would.out == "Would adopt 4 volumes (5 pages) of checksum; 0 known\n"
    assert rows(postgres, _ROWS) == []
    assert done.ok("jobs", "adopt", "checksum").out == "✓ Adopted 4 volumes (5 pages) of checksum; 0 known\n"
    after = rows(postgres, _ROWS)
    assert [row[:-3] for row in after] == [row[:-3] for row in before]
    for now, then in zip(after, before, strict=True):
        assert now[-3:-1] == pytest.approx(then[-3:-1], abs=0.001)
        assert now[-1] == pytest.approx(then[-1], abs=30)  # the marker's time is that of its writing
    assert sorted(row[1:] for row in rows(postgres, _LEDGER)) == sorted(row[1:] for row in asked)
    assert done.ok("jobs", "adopt", "checksum").out == "✓ Adopted 0 volumes (0 pages) of checksum; 4 known\n"

    assert done.ok("audit", "--job-name", "checksum", "--all").code == 0
    volumes = ("--volume", "W1,I0001", "--volume", "W1,I0002", "--volume", "W1,I0003")
    again = done.ok("queue", "enqueue", "--job-name", "checksum", *volumes, "--json").json
    assert {one["reason"] for one in again["skipped"]} == {"done at this version"}
    done.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0002", "--force")
    work(done)
    assert max(row[4] for row in rows(postgres, _LEDGER)) == 2
    assert done.ok("audit", "--job-name", "checksum", "--all").code == 0


def test_an_interrupted_adoption_goes_on(
    done: Bec, lose: None, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopting, "_CHUNK", 1)
    real, calls = adopting._take_over, []

    def interrupted(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*arguments)

    with monkeypatch.context() as now:
        now.setattr(adopting, "_take_over", interrupted)
        assert done("jobs", "adopt", "checksum").code == 130
    assert len(rows(postgres, _ROWS)) == 2
    assert done.ok("jobs", "adopt", "checksum", "--json").json["known"] == 2
    assert len(rows(postgres, _ROWS)) == 4


def test_what_the_earlier_system_left_is_adopted_where_its_version_can_be_told(
    done: Bec, lose: None, postgres: PostgresServer, tmp_path: Path
) -> None:
    """Its markers name neither etag nor artifacts; I0002's first version is not the archive's any more."""
    old = ("job_id", "job_name", "volume", "total_images", "nb_errors", "total_duration_ms", "timestamp")
    for path in (tmp_path / "artifacts/checksum").glob("*/*/*/success.json"):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({key: content[key] for key in old}))
    ended = done("jobs", "adopt", "checksum", "--json")
    assert ended.code == 6
    assert ended.json["volumes"] == 3
    assert list(ended.json["left_out"].values()) == [1]
    (reason,) = ended.json["left_out"]
    assert "does not tell the version" in reason
    found = rows(postgres, _ROWS)
    assert [(row[1], row[6], row[7]) for row in found] == [
        ("I0001", "done", 1), ("I0002", "done", 2), ("I0003", "done", 1),
    ]  # fmt: skip
    assert all(row[2] == row[4] for row in found)


def test_what_can_not_be_believed_is_left_out_with_the_reason(done: Bec, lose: None, tmp_path: Path) -> None:
    folders = sorted(path.parent for path in (tmp_path / "artifacts/checksum").glob("*/*/*/success.json"))
    (folders[0] / "success.json").write_text("{")
    artifact = next(path for path in folders[1].iterdir() if path.name != "success.json")
    artifact.write_bytes(artifact.read_bytes() + b"x")
    marker = json.loads((folders[2] / "success.json").read_text())
    (folders[2] / "success.json").write_text(json.dumps({**marker, "job_name": "other"}))
    ended = done("jobs", "adopt", "checksum")
    assert ended.code == 6
    assert "✓ Adopted 1 volume" in ended.out
    for reason in ("its marker can't be read", "of another size", "it is of job other"):
        assert reason in ended.err
    assert done.ok("jobs", "log", "--json").json[0]["action"] == "adopt"
