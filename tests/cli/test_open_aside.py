"""A worker's embedded server starts while the worker's rooms are imported; what goes wrong is told as ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import bec_core.db
from bec_cli.exits import Exit
from bec_cli.main import run
from bec_core.db import Database
from bec_core.errors import DatabaseUnavailable


@pytest.mark.parametrize(
    "words",
    [["worker", "--job-name", "ldv1"], ["run-volume", "--job-name", "ldv1", "--w", "W1", "--i", "I1"]],
    ids=["worker", "run-volume"],
)
@pytest.mark.parametrize(("elsewhere", "thread"), [("", "bec-database_0"), ("db.example", "MainThread")])
def test_the_embedded_database_alone_is_opened_aside_and_its_error_told(
    words: list[str],
    elsewhere: str,
    thread: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened_in: list[str] = []

    @contextmanager
    def refused(*_: object, **__: object) -> Iterator[Database]:
        opened_in.append(threading.current_thread().name)
        raise DatabaseUnavailable("the server has no room to start")
        yield

    monkeypatch.setattr(bec_core.db, "open_database", refused)
    monkeypatch.setenv("BEC_HOME", str(tmp_path))
    monkeypatch.setenv("BEC_DEST_URL", (tmp_path / "out").as_uri())
    if elsewhere:
        for name, value in {"SQL_HOST": elsewhere, "SQL_USER": "bec", "QUEUE": "postgres"}.items():
            monkeypatch.setenv(f"BEC_{name}", value)
    else:
        monkeypatch.delenv("BEC_SQL_HOST", raising=False)
    assert run(words) == Exit.of(DatabaseUnavailable(""))
    assert opened_in == [thread]
    assert "the server has no room to start" in capsys.readouterr().err
