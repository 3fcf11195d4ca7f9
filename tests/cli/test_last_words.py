"""Every way a worker ends badly leaves a line of JSON that says so, in a file whose folder was not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.cli import Bec, use_postgres
from support.services import PostgresServer


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "logs/worker.jsonl"
    monkeypatch.setenv("BEC_LOG_FILE", str(path))
    monkeypatch.setenv("BEC_LOG_FORMAT", "journal")
    return path


def last_line(log: Path) -> dict[str, Any]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines, "the log is empty"
    found: dict[str, Any] = lines[-1]
    return found


PROGRAM = "from bec_cli.main import main; main()"


def run(*arguments: str, program: str = PROGRAM, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_wrong_option_is_said_in_the_log(log: Path) -> None:
    ended = run("worker", "--job-name", "checksum", "--concurency", "2")
    assert ended.returncode == 2
    assert "No such option" in ended.stderr
    line = last_line(log)
    assert (line["level"], line["exit_status"]) == ("CRITICAL", 2)
    assert "No such option" in line["message"]


def test_bad_settings_are_said_in_the_log_although_it_was_not_set_up_yet(log: Path) -> None:
    ended = run("worker", "--job-name", "checksum", BEC_SQL_PORT="five", BEC_LOG_LEVEL="loud")
    assert ended.returncode == 2
    line = last_line(log)
    assert (line["level"], line["exit_status"]) == ("CRITICAL", 2)
    assert "BEC_SQL_PORT='five'" in line["message"]
    assert "BEC_LOG_LEVEL='loud'" in line["message"]
    assert ended.stderr.count("BEC_SQL_PORT") == 1


def test_a_database_that_is_away_is_said_in_the_log(log: Path, tmp_path: Path) -> None:
    ended = run(
        "worker", "--job-name", "checksum",
        BEC_SQL_HOST=str(tmp_path), BEC_SQL_USER="postgres", BEC_QUEUE="postgres",
    )  # fmt: skip
    assert ended.returncode == 5
    line = last_line(log)
    assert (line["level"], line["exit_status"]) == ("CRITICAL", 5)
    assert "PostgreSQL" in line["message"]


def test_what_nobody_foresaw_is_said_in_the_log_with_its_traceback(log: Path) -> None:
    program = (
        "import bec_cli.worker\n"
        "def broken(*_, **__): raise RuntimeError('the moon is blue')\n"
        "bec_cli.worker.session_of = broken\n" + PROGRAM
    )
    ended = run("worker", "--job-name", "checksum", program=program)
    assert ended.returncode == 1
    assert "the moon is blue" in ended.stderr
    line = last_line(log)
    assert (line["level"], line["exit_status"]) == ("CRITICAL", 1)
    assert "in broken" in line["exception"]


def test_a_missing_gpu_is_said_in_the_log_and_may_come_later(log: Path) -> None:
    ended = run("worker", "--job-name", "checksum:99")
    assert ended.returncode == 5
    assert "there is no GPU 99 here" in last_line(log)["message"]


def test_no_such_job_is_said_in_the_log(
    log: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    postgres.new_database("last_words")
    use_postgres(monkeypatch, postgres, "last_words")
    ended = run("worker", "--job-name", "checksum", "--wait")
    assert ended.returncode == 3
    line = last_line(log)
    assert (line["level"], line["exit_status"]) == ("CRITICAL", 3)
    assert "checksum" in line["message"]


def test_a_worker_that_waits_is_stopped_with_a_line_and_nothing_else(bec: Bec, log: Path) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "worker", "--job-name", "checksum", "--wait"],
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path), "BEC_LOG_LEVEL": "INFO"},
    ) as process:  # fmt: skip
        ends = time.monotonic() + 30
        while time.monotonic() < ends and not (log.exists() and "waiting for more" in log.read_text()):
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    line = last_line(log)
    assert (line["level"], line["message"], line["exit_status"]) == ("INFO", "stopped", 143)
    assert [line for line in err.splitlines() if line] == [
        "<6>nothing is left to do for job checksum: waiting for more",
        "stopped",
    ]
