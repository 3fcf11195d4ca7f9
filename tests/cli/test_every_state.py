# ruff: noqa: E501 - rows of a table are easier to compare on one line
"""Every listing, for a job in every state of its life: none ends with an error, in a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.numeric import NumericLoader

from bec_core.admin.doctor import machine
from bec_core.admin.session import Session
from bec_core.db.connection import Connection
from bec_core.settings import load_settings
from support.cli import Bec

_TASK = """
    INSERT INTO task_executions (job_id, volume_id, s3_etag, version, status, worker_id, started_at, {columns})
    SELECT j.id, v.id, decode(repeat('ab', 16), 'hex'), 'ababab', '{status}',
           (SELECT max(worker_id) FROM workers), now() - interval '1 minute', {values} FROM jobs j, volumes v
"""
_VOLUME = "INSERT INTO volumes (bdrc_w_id, bdrc_i_id, nb_images) VALUES ('W1', 'I1', {images})"
_LEDGER = (
    "INSERT INTO ledger (job_id, volume_id, source, state, sent_at, reason)"
    " SELECT j.id, v.id, 'archive', '{state}', {sent}, {reason} FROM jobs j, volumes v"
)
_WORKER = (
    "INSERT INTO workers (worker_name, hostname, job_id, process, activity, last_heartbeat_at, stopped_at)"
    " SELECT 'w', 'h', j.id, '1', '{activity}', now() - interval '{ago}', {stopped} FROM jobs j"
)
_BUSY = {"task_id": 1, "volume": "W1/I1", "attempt": 1, "pages_done": 3, "pages_total": 9, "seconds": 2.5}
_ERROR = "'run', 'KeyError', 'x', 'f0', 'Traceback …'"
_ERROR_COLUMNS = "error_stage, error_type, error_message, error_fingerprint, error_traceback"


def asked(
    state: str = "waiting", *, images: str = "9", sent: str = "now()", reason: str = "NULL"
) -> list[str]:
    return [_VOLUME.format(images=images), _LEDGER.format(state=state, sent=sent, reason=reason)]


def worker(*activity: dict[str, Any], ago: str = "1 second", stopped: str = "NULL") -> str:
    return _WORKER.format(activity=json.dumps(activity), ago=ago, stopped=stopped)


def task(status: str, columns: str = "done_at", values: str = "NULL") -> str:
    return _TASK.format(status=status, columns=columns, values=values)


_LEASED = ("lease_expires_at", "now() + interval '5 minutes'")
_FIGURES = (
    "done_at, total_images, nb_errors, total_duration_ms, avg_duration_per_page_ms, wall_clock_duration_ms"
)
_DONE = (
    f"{_FIGURES}, stage_ms, errors_by_stage",
    "now(), 9, 1, 90, 10, 30, '{\"decode\": 4.5}', '{\"decode\": 1}'",
)
NO_GPU = 'print(\'{"version": "2.9", "gpus": []}\')'
_MARK = "UPDATE jobs SET status = '{}'"

STATES: dict[str, list[str]] = {
    "nothing asked": [],
    "asked, not sent": asked(sent="NULL"),
    "waiting": asked(),
    "waiting, pages unknown": asked(images="NULL"),
    "running": [*asked(), worker(_BUSY), task("running", *_LEASED)],
    "running since a moment": [
        *asked(images="NULL"),
        worker({**_BUSY, "pages_done": 0, "pages_total": 0, "seconds": 0}),
        task("running", *_LEASED),
    ],
    "running, two at hand": [*asked(), worker(_BUSY, {**_BUSY, "volume": "W1/I2"}), task("running", *_LEASED)],
    "running, activity without figures": [
        *asked(), worker({"volume": "W1/I1", "pages_done": None}, {}), task("running", *_LEASED),
    ],
    "running, others done": [
        *asked(),
        worker(_BUSY),
        task("done", *_DONE).replace("'ab'", "'cd'"),
        task("running", *_LEASED),
    ],
    "in back-off": [
        *asked(),
        worker(),
        task("retryable_failed", f"done_at, retry_at, failures, {_ERROR_COLUMNS}", f"now(), now() + interval '1 h', 1, {_ERROR}"),
    ],
    "done": [*asked("done"), worker(), task("done", *_DONE)],
    "done, by the production line": [*asked("done", images="NULL"), task("done").replace("'ababab'", "NULL")],
    "failed for good": [
        *asked("failed", reason="'KeyError: x'"),
        worker(),
        task("terminal_failed", f"done_at, failures, {_ERROR_COLUMNS}", f"now(), 3, {_ERROR}"),
    ],
    "failed, with page errors": [
        *asked("failed"),
        task(
            "terminal_failed",
            f"page_errors, done_at, {_ERROR_COLUMNS}",
            f"'[{{\"img_filename\": \"a.jpg\", \"stage\": \"decode\", \"error_type\": \"E\", \"message\": \"m\"}}]', now(), {_ERROR}",
        ),
    ],
    "failed, nothing known of it": [*asked("failed"), task("terminal_failed")],
    "failed, never had a task": asked("failed", reason="'ManifestNotFound: none'"),
    "failed, without a version": [
        *asked("failed"),
        task("terminal_failed", f"done_at, {_ERROR_COLUMNS}", f"now(), {_ERROR}")
        .replace("repeat('ab', 16)", "repeat('00', 16)")
        .replace("'ababab'", "NULL"),
    ],
    "set aside for a fault of ours": [
        *asked("failed", reason="'runtime_fault'"),
        task("terminal_failed", "done_at, runtime_faults, first_fault_at, error_type", "now(), 3, now(), 'runtime_fault'"),
    ],
    "handed back": [*asked(), worker(stopped="now()"), task("retryable_failed", "pages_done, furthest", "0, 3")],
    "lease ran out": [
        *asked(), worker(_BUSY, ago="1 hour"), task("running", "lease_expires_at, lost", "now() - interval '1 h', 2"),
    ],
    "worker's row deleted": [*asked(), task("running", *_LEASED)],
    "worker dead for days": [*asked(), worker(_BUSY, ago="3 days"), task("running", "lease_expires_at", "NULL")],
    "paused while running": [*asked(), worker(_BUSY), task("running", *_LEASED), _MARK.format("paused")],
    "completed": [*asked("done"), task("done", *_DONE), _MARK.format("completed")],
    "cancelled while waiting": [*asked(), _MARK.format("cancelled")],
    "held back by a canary that is out": [*asked("held"), "INSERT INTO canaries (job_id, volume_ids) SELECT id, '{0}' FROM jobs"],
    "held back by a canary that failed": [
        *asked("held"),
        "INSERT INTO canaries (job_id, volume_ids, verdict, reason, judged_at) SELECT id, '{0}', 'failed', 'x', now() FROM jobs",
        "UPDATE jobs SET status = 'paused', brake_reason = 'x'",
    ],
    "asked again while done": [*asked(), task("done", *_DONE), "UPDATE ledger SET request = 2, config_revision = 1"],
}  # fmt: skip

LISTINGS = [
    "jobs list",
    "jobs list --wide",
    "jobs show checksum --revisions",
    "jobs stats checksum",
    "jobs stats checksum --stages --hourly-price 0.5",
    "jobs tasks checksum",
    "jobs log",
    "gc --job-name checksum",
    "queue stats --job-name checksum",
    "queue peek --job-name checksum",
    "queue peek --job-name checksum --dlq",
    "workers list --since 30d",
    "errors list",
    "errors list --job-name checksum --pages",
    "errors top",
    "errors top --pages",
    "volumes list",
    "volumes list --job-name checksum",
    "top --once",
    "top --once --job-name checksum --state dead --sort speed",
]


class Refusing(NumericLoader):
    """A Decimal beside a float ends a command, and is a text in JSON: none may come."""

    def load(self, data: object) -> object:  # type: ignore[override]
        raise AssertionError("a numeric left the database: cast it to bigint or float8")


@pytest.fixture
def put(bec: Bec) -> Iterator[Callable[[str], Session]]:
    """Brings the job ``checksum`` into a state; from then on no command may meet a Decimal."""
    bec.ok("jobs", "create", "--name", "checksum")
    psycopg.adapters.register_loader("numeric", Refusing)
    with Session(load_settings()) as session:

        def bring(state: str) -> Session:
            with session.database.connection() as connection:
                for statement in STATES[state]:
                    connection.execute(statement.encode())
            return session

        yield bring
    psycopg.adapters.register_loader("numeric", NumericLoader)


def ids(connection: Connection, column: str, table: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(f"SELECT {column} FROM {table}".encode())]


@pytest.mark.parametrize("state", STATES)
def test_every_listing_shows_a_job_in_every_state(
    bec: Bec, put: Callable[[str], Session], state: str, tmp_path: Path
) -> None:
    session = put(state)
    with session.database.connection() as connection:
        shown = [f"errors show {number}" for number in ids(connection, "id", "task_executions")]
        shown += [f"workers show {number}" for number in ids(connection, "worker_id", "workers")]
        if ids(connection, "id", "volumes"):
            shown.append("volumes show W1,I1")
    for listing in [*LISTINGS, *shown]:
        bec.ok(*listing.split())
        assert bec.ok(*listing.replace("--once", "").split(), "--json").out.strip()
    (tmp_path / "artifacts").mkdir(exist_ok=True)
    (tmp_path / "archive").mkdir(exist_ok=True)
    for command in (
        "audit --job-name checksum",
        "audit --job-name checksum --json",
        "report --job-name checksum",
        "health",
        "health --job-name checksum --json",
        "workers dismiss --dead",
        "queue enqueue --job-name checksum --new --changed --dry-run",
        "queue feed --job-name checksum --once",
        "jobs update checksum --no-feed",
    ):
        ended = bec(*command.split())
        assert ended.code != 1, ended.err
        assert "not foreseen" not in ended.err


def test_before_there_is_any_job(bec: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_TORCH", NO_GPU)
    (tmp_path / "archive").mkdir()
    for command in ("health", "doctor", "top --once", "workers dismiss --dead"):
        bec.ok(*command.split())
        bec.ok(*command.replace("--once", "").split(), "--json")


@pytest.mark.parametrize(
    "state",
    [
        "nothing asked",
        "paused while running",
        "worker's row deleted",
        "failed for good",
        "cancelled while waiting",
    ],
)
def test_a_doctor_looks_at_a_job_in_any_state(
    bec: Bec, put: Callable[[str], Session], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_TORCH", NO_GPU)
    put(state)
    (tmp_path / "archive").mkdir()
    found = bec.ok("doctor", "--job-name", "checksum", "--json").json
    told = [one["text"] for one in found if one["name"] == "job checksum" and one["outcome"] == "warning"]
    assert bool(told) == state.startswith(("paused", "cancelled"))


def test_a_running_job_counts_what_its_workers_have_at_hand(bec: Bec, put: Callable[[str], Session]) -> None:
    put("running, others done")
    progress = bec.ok("jobs", "stats", "checksum", "--json").json["progress"]
    assert (progress["running"], progress["waiting"], progress["live_workers"]) == (1, 0, 1)
    assert progress["pages_left"] == 9 - 3
    assert isinstance(progress["pages_per_s"], float)


def test_what_an_older_recipe_did_is_counted_and_what_is_unknown_is_not(
    bec: Bec, put: Callable[[str], Session]
) -> None:
    session = put("done")
    stats = "jobs", "stats", "checksum"
    with session.database.connection() as connection:
        connection.execute(
            "INSERT INTO job_recipes SELECT id, recipe, '{}', now() + age FROM jobs,"
            " (VALUES ('old', interval '0'), ('new', interval '1 s')) AS r (recipe, age)"
        )
    assert bec.ok(*stats, "--json").json["progress"]["stale"] == 0
    assert "Out of Date" not in bec.ok(*stats).out
    with session.database.connection() as connection:
        connection.execute("UPDATE task_executions SET recipe = 'old'")
    assert bec.ok(*stats, "--json").json["progress"]["stale"] == 1
    assert "Out of Date: 1" in bec.ok(*stats).out
    assert bec.ok("volumes", "list", "--json").json[0]["stale"] == ["checksum"]
    assert "checksum: done (older recipe)" in bec.ok("volumes", "list").out
    with session.database.connection() as connection:
        connection.execute("UPDATE task_executions SET recipe = 'new'")
    assert bec.ok(*stats, "--json").json["progress"]["stale"] == 0
    assert bec.ok("volumes", "list", "--json").json[0]["stale"] == []
