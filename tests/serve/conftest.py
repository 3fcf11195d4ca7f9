"""A database with a job that has a bit of everything, and the application over it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bec_core.admin.session import Session
from bec_core.settings import load_settings
from bec_serve.app import make_app
from bec_serve.running import Options, make_serving
from support.cli import Bec, install_reader_plugin, mixed_job, write_archive_volume
from support.services import PostgresServer
from support.serving import ACT, LOOK, MARK, Client


@pytest.fixture
def job(bec: Bec, tmp_path: Path) -> Bec:
    """A job with a volume done, one done with a bad page, two that failed for different reasons, and one that waits."""
    archive = tmp_path / "archive"
    mixed_job(bec, archive)
    bec("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")
    write_archive_volume(archive, "W3", "I0005", [b"c"])
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume=W3,I0005")
    return bec


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, bec: Bec) -> Iterator[Client]:
    """Makes clients of applications: ``client(host=…, allow_actions=…)``; of one application each."""
    monkeypatch.setattr("bec_serve.routing._AT_ONCE_S", 30.0)  # however busy this machine is
    monkeypatch.setenv("BEC_SERVE_ACT_TOKEN", ACT)
    monkeypatch.setenv("BEC_SERVE_MARK_TOKEN", MARK)
    opened: list[TestClient] = []
    sessions: list[Session] = []

    def make(**options: object) -> TestClient:
        if options.get("host") or options.pop("token", False):
            monkeypatch.setenv("BEC_SERVE_TOKEN", LOOK)
        session = Session(load_settings(), connections=5)
        serving, _ = make_serving(session, Options(**options))  # type: ignore[arg-type]  # as the test says
        made = TestClient(make_app(serving), base_url="http://127.0.0.1:8420", follow_redirects=False)
        made.__enter__()
        opened.append(made)
        sessions.append(session)
        return made

    yield make
    for one in opened:
        one.__exit__()
    for session in sessions:
        session.__exit__(None, None, None)


@pytest.fixture
def bec_database(bec: Bec, postgres: PostgresServer) -> str:
    """How to connect to the database that the test's ``bec`` uses."""
    return f"host={postgres.folder} user=postgres dbname={os.environ['BEC_SQL_DATABASE']}"


@pytest.fixture
def reader(bec: Bec, tmp_path: Path) -> None:
    """The job type ``reader``, which reads ``checksum``."""
    install_reader_plugin(tmp_path / "plugins")
