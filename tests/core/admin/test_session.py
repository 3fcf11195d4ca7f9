"""A session's database, opened in a thread of its own while something else is done."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bec_core.admin.session import Session
from bec_core.errors import DatabaseUnavailable
from bec_core.settings import Settings
from support.services import PostgresServer


def test_the_database_opened_aside_is_the_session_s_and_closed_with_it(postgres: PostgresServer) -> None:
    postgres.new_database("aside")
    settings = Settings(sql_host=str(postgres.folder), sql_user="postgres", sql_database="aside")
    with Session(settings) as session:
        session.open_database_aside()
        database = session.database
        with database.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(DatabaseUnavailable, match="closed"), database.connection():
        pass


def test_what_was_opened_aside_is_closed_though_nobody_asked_for_it(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.new_database("unasked")
    settings = Settings(sql_host=str(postgres.folder), sql_user="postgres", sql_database="unasked")
    opened = []
    may_go_on = threading.Event()
    plain = Session._open_database

    def slowly(session: Session) -> object:
        may_go_on.wait(10)
        opened.append(plain(session))
        return opened[0]

    monkeypatch.setattr(Session, "_open_database", slowly)
    with Session(settings) as session:
        session.open_database_aside()
        threading.Timer(0.2, may_go_on.set).start()
    with pytest.raises(DatabaseUnavailable, match="closed"), opened[0].connection():
        pass


def test_what_is_wrong_with_the_database_is_raised_where_it_is_asked_for(tmp_path: Path) -> None:
    with Session(Settings(sql_host=str(tmp_path / "nobody"), sql_user="postgres")) as session:
        session.open_database_aside()
        with pytest.raises(DatabaseUnavailable):
            assert session.database
