"""``bec errors``, ``workers``, ``volumes``, ``run-volume``, ``plugins``: what operators look at."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import psycopg
import pytest

from bec_cli.completion import complete_job
from bec_cli.main import cli
from support.cli import Bec, mixed_job, write_archive_volume
from support.services import PostgresServer


@pytest.fixture
def job(bec: Bec, tmp_path: Path) -> Bec:
    """A job with a volume done, one done with a bad page, and two that failed for different reasons."""
    mixed_job(bec, tmp_path / "archive")
    bec.ok(
        "worker",
        "--job-name",
        "checksum",
        "--poll-wait",
        "0",
        "--shutdown-after-empty",
        "1",
        "--tag",
        "spot=yes",
    )
    return bec


def test_failures_are_grouped_by_cause(job: Bec) -> None:
    groups = job.ok("errors", "top", "--job-name", "checksum", "--json").json
    assert {(group["error_type"], group["stage"], group["tasks"]) for group in groups} == {
        ("TerminalTaskError", "run", 1),
        ("KeyError", "run", 1),
    }
    assert "nobody thought of this" in job.ok("errors", "top").out
    assert job.ok("errors", "top", "--since", "2999-01-01", "--json").json == []


def test_failed_tasks_are_listed_and_chosen(job: Bec) -> None:
    listed = job.ok("errors", "list", "--json").json
    assert {task["ref"]["i_id"] for task in listed} == {"I0003", "I0004"}
    assert "error_traceback" in listed[0]
    fingerprint = next(task["error_fingerprint"] for task in listed if task["error_type"] == "KeyError")
    chosen = job.ok("errors", "list", "--fingerprint", fingerprint).out
    assert "W2/I0004" in chosen
    assert "W2/I0003" not in chosen
    assert job.ok("errors", "list", "--status", "retryable_failed", "--json").json == []
    assert (
        job.ok("errors", "list", "--error", "TerminalTaskError", "--json").json[0]["ref"]["i_id"] == "I0003"
    )


def test_a_task_is_shown_with_its_traceback_and_its_pages(job: Bec) -> None:
    by_volume = {task["i_id"]: task["id"] for task in job.ok("jobs", "tasks", "checksum", "--json").json}
    failed = job.ok("errors", "show", str(by_volume["I0004"])).out
    assert "Error: KeyError" in failed
    assert "Traceback (most recent call last)" in failed
    pages = job.ok("errors", "show", str(by_volume["I0002"])).out
    assert "  I00020001.jpg: decode: BadOnPurpose: this page is bad on purpose" in pages
    assert job("errors", "show", "999").code == 3


def test_a_failed_task_has_a_link_where_bec_serve_has_a_url(
    job: Bec, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = str(job.ok("errors", "list", "--error", "KeyError", "--json").json[0]["id"])
    assert "In a browser" not in job.ok("errors", "show", task).out
    assert job.ok("errors", "show", task, "--json").json["link"] is None
    monkeypatch.setenv("BEC_SERVE_URL", "https://bec.example/here/")
    link = "https://bec.example/here/jobs/checksum/volumes/W2/I0004"
    assert f"In a browser: {link}\n" in job.ok("errors", "show", task).out
    assert job.ok("errors", "show", task, "--json").json["link"] == link
    monkeypatch.setenv("BEC_SERVE_URL", "javascript:alert(1)")
    refused = job("errors", "show", task)
    assert refused.code == 2
    assert "BEC_SERVE_URL" in refused.err


def test_page_errors_come_from_the_artifacts(job: Bec) -> None:
    lines = job.ok("errors", "list", "--pages", "--json").json
    assert [(line["volume"], line["img_filename"]) for line in lines] == [("W1/I0002", "I00020001.jpg")]
    group = job.ok("errors", "top", "--pages", "--json").json[0]
    assert (group["pages"], group["volumes"], group["error_type"]) == (1, 1, "BadOnPurpose")


def test_volumes_say_what_they_are_done_for(job: Bec) -> None:
    job.ok("jobs", "create", "--name", "second", "--type", "checksum")
    job.ok("queue", "enqueue", "--job-name", "second", "--volume", "W1,I0001")
    listed = {v["i_id"]: v for v in job.ok("volumes", "list", "--json").json}
    assert listed["I0001"]["standing"] == {"checksum": "done", "second": "waiting"}
    assert listed["I0001"]["nb_images"] == 2
    assert listed["I0003"]["standing"] == {"checksum": "terminal_failed"}
    waiting = job.ok("volumes", "list", "--job-name", "second", "--status", "waiting", "--json").json
    assert [v["i_id"] for v in waiting] == ["I0001"]
    assert len(job.ok("volumes", "list", "--prefix", "W2", "--json").json) == 2
    first = job.ok("volumes", "list", "--limit", "1")
    assert "--after 1" in first.err
    shown = job.ok("volumes", "show", "W1/I0001", "--json").json[0]
    assert shown["tasks"][0]["artifacts"].endswith(f"/artifacts/checksum/W1/I0001/{shown['etag'][:6]}/")
    assert "Artifacts of task" in job.ok("volumes", "show", "W1,I0001").out
    assert job("volumes", "show", "W1,I9").code == 3


def test_a_worker_that_stopped_is_listed_as_stopped(job: Bec) -> None:
    listed = job.ok("workers", "list", "--json").json
    assert [(worker["state"], worker["job_name"], worker["tags"]) for worker in listed] == [
        ("stopped", "checksum", {"spot": "yes"})
    ]
    shown = job.ok("workers", "show", "1").out
    assert "Tasks: 2 done, 2 terminal_failed" in shown
    assert "Pages: 33, 1 failed" in shown
    assert job("workers", "show", "77").code == 3


@contextmanager
def worker_process(tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A worker in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "bec_cli",
        "worker",
        "--job-name",
        "checksum",
        "--poll-wait",
        "1",
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "plugins")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_for_line(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f"the worker ended without saying {beginning!r}")


@pytest.fixture
def long_volume(bec: Bec, tmp_path: Path) -> Bec:
    """A job with one volume that takes half a minute."""
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"x"] * 300)
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", '{"page_ms": 100}')
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    return bec


@pytest.mark.slow
def test_what_a_worker_does_and_that_it_died(
    long_volume: Bec, tmp_path: Path, postgres: PostgresServer
) -> None:
    bec = long_volume
    with worker_process(tmp_path, "--shutdown-after-empty", "0") as process:
        wait_for_line(process, "Processing message")
        deadline = time.monotonic() + 30
        while (worker := bec.ok("workers", "list", "--json").json[0])["state"] == "idle":
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert worker["state"] == "working"
        at_hand = worker["activity"][0]
        assert (at_hand["volume"], at_hand["pages_total"]) == ("W1/I0001", 300)
        assert 0 < at_hand["pages_done"] < 300
        assert 5 < worker["pages_per_s"] < 10.5
        assert "of 300" in bec.ok("workers", "list").out
        assert "page" in bec.ok("workers", "show", "1").out
        assert bec.ok("jobs", "stats", "checksum", "--json").json["progress"]["running"] == 1
    with psycopg.connect(postgres.dsn(os.environ["BEC_SQL_DATABASE"])) as connection:
        connection.execute("UPDATE workers SET last_heartbeat_at = last_heartbeat_at - interval '50 seconds'")
    assert bec.ok("workers", "list", "--json").json[0]["state"] == "dead"


def test_stopping_a_worker_hands_its_volume_back(long_volume: Bec, tmp_path: Path) -> None:
    with worker_process(tmp_path, "--grace", "0") as process:
        wait_for_line(process, "Processing message")
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        rest = process.stdout.read()
        assert process.wait(30) == 143
    assert "Worker shutdown complete" in rest
    assert "Worker completed successfully" not in rest
    bec = long_volume
    assert bec.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 1
    assert "handed back" in bec.ok("jobs", "tasks", "checksum").out
    assert bec.ok("errors", "top", "--json").json == bec.ok("errors", "list", "--json").json == []
    figures = bec.ok("jobs", "stats", "checksum", "--json").json
    assert (figures["by_status"], figures["progress"]["waiting"]) == ([], 1)
    assert "ShutdownRequested" not in bec.ok("top", "--once").out


def test_a_volume_that_is_resumed_says_so(bec: Bec, tmp_path: Path) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"page %d" % n for n in range(40)])
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", '{"mapped": true, "page_ms": 100}')
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    with worker_process(tmp_path, "--grace", "0") as process:
        wait_for_line(process, "Processing message")
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    ended = bec.ok("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")
    said = re.search(r"Resuming volume W1/I0001: (\d+) of 40 pages were finished before", ended.out)
    assert said is not None
    assert f"done (resumed at {said[1]})" in bec.ok("jobs", "tasks", "checksum").out
    (task,) = bec.ok("jobs", "tasks", "checksum", "--json").json
    assert (task["pages_resumed"], task["handed_back"]) == (int(said[1]), False)


def test_the_workers_of_a_paused_job_take_nothing(long_volume: Bec, tmp_path: Path) -> None:
    long_volume.ok("jobs", "pause", "checksum")
    with worker_process(tmp_path, "--shutdown-after-empty", "1") as process:
        wait_for_line(process, "DLQ: ")
        time.sleep(2.5)
        assert process.poll() is None
        assert long_volume.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


def test_one_volume_here_and_now(job: Bec, tmp_path: Path) -> None:
    run = ["run-volume", "--job-name", "checksum", "--w", "W1", "--i"]
    write_archive_volume(tmp_path / "archive", "W1", "I0009", [b"a"])
    assert "1 pages, version" in job.ok(*run, "I0009", "--dry-run").out
    assert not (tmp_path / "artifacts/checksum/W1/I0009").exists()
    assert job.ok(*run, "I0009").out.startswith("✓ W1/I0009: done\nArtifacts: file://")
    assert "already done" in job.ok(*run, "I0009").out
    assert "done already, nothing would be done" in job.ok(*run, "I0009", "--dry-run").out
    assert "would do it again" in job.ok(*run, "I0009", "--dry-run", "--force").out
    assert job.ok(*run, "I0009", "--force", "--json").json["outcome"] == "done"
    assert job.ok("jobs", "tasks", "checksum", "--limit", "1", "--json").json[0]["attempt"] == 2
    missing = job(*run, "I0010")
    assert missing.code == 6
    assert "ManifestMissing" in missing.err


def test_the_schema_of_a_job_type(bec: Bec) -> None:
    shown = bec.ok("plugins", "show", "checksum").out
    assert "checksum 1.0, of bec-checksum 0.1" in shown
    for part in ("page_ms", "0 to 60000", "Pretend that a page takes so long", "max_attempts", "1 to 100"):
        assert part in shown
    fields = {one["name"]: one for one in bec.ok("plugins", "show", "ldv1", "--json").json["config"]}
    assert fields["batch_size"]["default"] == 16
    assert bec("plugins", "show", "nope").code == 3
    assert {row["name"] for row in bec.ok("plugins", "list", "--json").json} >= {"checksum", "ldv1"}


def test_everything_at_a_glance(job: Bec) -> None:
    shown = job.ok("top", "--once").out
    for part in ("Jobs", "Workers", "Last Errors", "checksum", "KeyError"):
        assert part in shown
    look = job.ok("top", "--json").json
    line = look["jobs"][0]
    assert (line["job"], line["done"], line["failed"], line["waiting"]) == ("checksum", 2, 2, 0)
    assert line["dead_letters"]["available"] == 2
    assert {error["error_type"] for error in look["errors"]} == {"KeyError", "TerminalTaskError"}
    job.ok("jobs", "complete", "checksum")
    assert job.ok("top", "--json").json["jobs"] == []


def test_job_names_are_completed(job: Bec, monkeypatch: pytest.MonkeyPatch) -> None:
    job.ok("jobs", "create", "--name", "chapters", "--type", "checksum")
    context = click.Context(cli)
    option = click.Option(["--job-name"])
    assert [item.value for item in complete_job(context, option, "ch")] == ["checksum", "chapters"]
    assert [item.value for item in complete_job(context, option, "cha")] == ["chapters"]
    monkeypatch.setenv("BEC_SQL_PORT", "no number")
    assert complete_job(context, option, "ch") == []


def test_a_volume_failed_for_its_pages_keeps_them_where_errors_show_finds_them(
    bec: Bec, tmp_path: Path
) -> None:
    """Nothing of it is published, so its list of failed pages lies nowhere else."""
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"fine", b"!bad-page"])
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", '{"max_attempts": 1}')
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    bec.ok("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")
    (task,) = bec.ok("errors", "list", "--json").json
    shown = bec.ok("errors", "show", str(task["id"])).out
    assert "I00010002.jpg: decode: BadOnPurpose: this page is bad on purpose" in shown
    (page,) = bec.ok("errors", "show", str(task["id"]), "--json").json["pages"]
    assert page["img_filename"] == "I00010002.jpg"
    (listed,) = bec.ok("errors", "list", "--pages", "--json").json
    assert listed["error_type"] == "BadOnPurpose"
