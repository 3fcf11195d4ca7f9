"""``bec queue enqueue --canary`` and ``bec queue feed --max-spend``, as an operator meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bec_core.admin.session import Session
from bec_core.settings import load_settings
from support.cli import Bec, write_archive_volume

ENQUEUE = "queue", "enqueue", "--job-name", "checksum"


@pytest.fixture
def asked(bec: Bec, tmp_path: Path) -> Bec:
    bec.ok("jobs", "create", "--name", "checksum")
    for n in range(6):
        write_archive_volume(tmp_path / "archive", f"W{n}", "I1", [b"page"] * (n + 1))
    (tmp_path / "list").write_text("".join(f"W{n},I1\n" for n in range(6)))
    return bec


def sql(text: str) -> None:
    with Session(load_settings()) as session, session.database.connection() as connection:
        connection.execute(text.encode())


def test_a_canary_goes_first_and_its_job_says_how_it_stands(asked: Bec, tmp_path: Path) -> None:
    command = *ENQUEUE, "--file", str(tmp_path / "list"), "--canary", "2"
    would = asked.ok(*command, "--dry-run").out
    assert "Would enqueue 2 volumes" in would
    assert "Would hold back 4 volumes" in would
    said = asked.ok(*command).out
    assert "✓ Enqueued 2 volumes to bec_checksum_tasks\nHeld back 4 volumes until these have passed" in said
    show = "jobs", "show", "checksum"
    assert "Canary: out: 0 of 2 volumes ended; 4 volumes held back until it has passed" in asked.ok(*show).out
    assert "Held Back: 4" in asked.ok("jobs", "stats", "checksum").out
    assert asked.ok(*show, "--json").json["canary"]["held"] == 4
    assert len(asked.ok("volumes", "list", "--job-name", "checksum", "--status", "held", "--json").json) == 4
    refused = asked(*command)
    assert refused.code != 0
    assert "bec jobs resume checksum --without-canary" in refused.err
    for other in ("--force", "--stale"):
        refused = asked(*command, other)
        assert refused.code == 2
        assert "bec compare" in refused.err

    asked.ok("worker", "--job-name", "checksum", "--shutdown-after-empty", "3", "--poll-wait", "0")
    assert "Canary: passed" in asked.ok(*show).out
    assert asked.ok("jobs", "stats", "checksum", "--json").json["progress"]["done"] == 6


def test_one_that_failed_says_why_and_resuming_lets_the_rest_go(asked: Bec, tmp_path: Path) -> None:
    asked.ok(*ENQUEUE, "--file", str(tmp_path / "list"), "--canary", "2")
    sql("UPDATE ledger SET state = 'failed' WHERE state = 'waiting'")
    asked.ok(*ENQUEUE, "--volume", "W0,I1", "--limit", "1")  # whoever asks next notices
    show = "jobs", "show", "checksum"
    said = asked.ok(*show).out
    assert "Brake: the job was paused: 2 of the 2 volumes of the canary failed for good" in said
    assert "4 volumes held back till the job goes on: bec jobs resume checksum" in said
    assert "Would release 4 volumes" in asked.ok("jobs", "resume", "checksum", "--dry-run").out
    assert "✓ Released 4 volumes" in asked.ok("jobs", "resume", "checksum").out
    assert "Canary: the rest was let go" in asked.ok(*show).out


def test_what_a_canary_that_is_out_holds_back_can_be_let_go(asked: Bec, tmp_path: Path) -> None:
    asked.ok(*ENQUEUE, "--file", str(tmp_path / "list"), "--canary", "2")
    resume = "jobs", "resume", "checksum"
    assert "active already" in asked.ok(*resume).out
    assert "Would release 4 volumes" in asked.ok(*resume, "--without-canary", "--dry-run").out
    assert "✓ Released 4 volumes" in asked.ok(*resume, "--without-canary").out
    assert asked.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 6
    assert "no canary of job checksum holds volumes back" in asked.ok(*resume, "--without-canary").err


def test_max_spend_needs_a_price_and_pauses_the_job(asked: Bec) -> None:
    feed = "queue", "feed", "--job-name", "checksum", "--once", "--max-spend", "3"
    refused = asked(*feed)
    assert (refused.code, "--hourly-price go together" in refused.err) == (2, True)
    sql(
        "INSERT INTO workers (worker_name, hostname, job_id, process, started_at) SELECT 'w', 'h', id, '1',"
        " now() - interval '10 hours' FROM jobs"
    )
    asked.ok(*feed, "--hourly-price", "0.2")
    assert "Status: active" in asked.ok("jobs", "show", "checksum").out
    asked.ok(*feed, "--hourly-price", "0.3")
    said = asked.ok("jobs", "show", "checksum").out
    assert "Status: paused" in said
    assert "Brake: the job was paused: it has cost 3.00 (10.0 worker hours at 0.3)" in said
