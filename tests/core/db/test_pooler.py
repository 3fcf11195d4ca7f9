"""Behind a real pgbouncer in transaction mode: two sessions of the server for everybody."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bec_core.db import Database, Purpose
from bec_core.db.deadlines import DEADLINES
from bec_core.db.locks import only_one
from bec_core.errors import BecError
from bec_core.models import OutgoingMessage
from bec_core.queues.postgres import create_postgres_queues
from support.pgbouncer import pgbouncer
from support.services import PostgresServer


@pytest.fixture
def pooled(postgres: PostgresServer, tmp_path: Path) -> Iterator[Database]:
    name = f"t_{uuid.uuid4().hex}"
    postgres.new_database(name)
    with pgbouncer(postgres, tmp_path / "pooler") as port:
        database = Database(
            f"host=127.0.0.1 port={port} user=postgres dbname={name} sslmode=disable", max_size=8
        )
        database.open()
        yield database
        database.close()


def test_a_pooler_is_known_as_one(pooled: Database, database: Database) -> None:
    with pooled.connection() as connection:
        assert connection.pooled
    with database.connection() as connection:
        assert not connection.pooled


def test_many_clients_share_two_sessions_without_prepared_statements(pooled: Database) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for n in range(30):
                with pooled.connection() as connection:
                    assert connection.execute("SELECT %s::int + 1", (n,)).fetchone() == (n + 1,)
                    connection.commit()
                    assert connection.execute("SELECT %s::int + 2", (n,)).fetchone() == (n + 2,)
        except BecError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert failed == []


@pytest.mark.parametrize("purpose", list(Purpose))
def test_each_transaction_has_its_limits_and_leaves_none_behind(pooled: Database, purpose: Purpose) -> None:
    with pooled.connection(purpose) as connection:
        for _ in range(2):
            row = connection.execute(
                "SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'"
            ).fetchone()
            assert row == (1000 * DEADLINES[purpose].statement_s,)
            connection.commit()
    with pooled.connection() as connection:
        connection.autocommit = True
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
        connection.autocommit = False


def test_a_queue_works_and_listens_nowhere(pooled: Database) -> None:
    (queue, _), _ = create_postgres_queues(pooled, "q", "q-dlq")
    threading.Timer(0.5, lambda: queue.send([OutgoingMessage("hello")])).start()
    began = time.monotonic()
    (message,) = queue.receive(limit=1, wait_s=10, visibility_s=30)
    assert message.body == "hello"
    assert time.monotonic() - began < 4
    assert queue.delete(message)
    with pooled.connection() as connection:
        listening = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'"
        ).fetchone()
        assert listening == (0,)


def test_a_lock_is_one_for_all(pooled: Database) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with only_one(pooled, (1, 1), "testing"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.1)
            inside.remove(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert most == [1, 1]
