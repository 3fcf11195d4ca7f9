"""A session of the command line, on both queues; its archive and artifacts are folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bec_core.admin.session import Session
from bec_core.settings import load_settings
from support.cli import clean_environment, install_checksum_plugin, use_postgres
from support.services import PostgresServer


@pytest.fixture(params=["postgres", "sqs"])
def session(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer, tmp_path: Path
) -> Iterator[Session]:
    clean_environment(monkeypatch)
    if request.param == "sqs":
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("aws"))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("BEC_REGION", "us-east-1")
    monkeypatch.setenv("BEC_QUEUE", request.param)
    monkeypatch.setenv("BEC_SOURCE_URL", (tmp_path / "archive").as_uri())
    monkeypatch.setenv("BEC_DEST_URL", (tmp_path / "artifacts").as_uri())
    (tmp_path / "archive").mkdir()
    install_checksum_plugin(tmp_path / "plugins")
    monkeypatch.syspath_prepend(str(tmp_path / "plugins"))
    with postgres.fresh_database() as database:
        use_postgres(monkeypatch, postgres, database)
        with Session(load_settings(), connections=8) as opened:
            yield opened
