"""No wait for PostgreSQL is without an end: a silent network, a stopped server, a lock that is held."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest

from bec_core.db import Database, Purpose, deadlines
from bec_core.db.connection import Connection
from bec_core.db.deadlines import DEADLINES
from bec_core.errors import DatabaseUnavailable
from support.services import PostgresServer
from support.silent_network import SilentNetwork


def name_of(server: PostgresServer) -> str:
    name = f"t_{uuid.uuid4().hex}"
    server.new_database(name)
    return name


@pytest.fixture
def network(postgres: PostgresServer) -> Iterator[SilentNetwork]:
    with SilentNetwork(postgres.folder / ".s.PGSQL.5432") as one:
        yield one


@pytest.fixture
def remote(network: SilentNetwork, postgres: PostgresServer) -> Iterator[Database]:
    """A pool that reaches a database of its own through the network."""
    pool = Database(network.dsn(name_of(postgres)), max_size=3, timeout_s=30)
    pool.open()
    yield pool
    pool.close()


def took(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def failure(action: Callable[[], object]) -> str:
    """What the error says that the action ends with."""
    try:
        action()
    except DatabaseUnavailable as error:
        return str(error)
    raise AssertionError("it did not fail")


def ask(database: Database, purpose: Purpose = Purpose.WORK, sql: str = "SELECT 1") -> None:
    with database.connection(purpose) as connection:
        connection.execute(sql.encode())


def setting(connection: Connection, name: str) -> int:
    """A time of the server's in ms."""
    row = connection.execute("SELECT setting FROM pg_settings WHERE name = %s", (name,)).fetchone()
    assert row
    return int(row[0])


@pytest.mark.parametrize("purpose", list(Purpose))
def test_the_server_knows_each_purpose_s_limits_in_each_transaction(
    database: Database, purpose: Purpose
) -> None:
    wanted = DEADLINES[purpose]
    with database.connection(purpose) as connection:
        for _ in range(2):
            assert setting(connection, "statement_timeout") == 1000 * wanted.statement_s
            assert setting(connection, "lock_timeout") == 1000 * wanted.lock_s
            assert setting(connection, "idle_in_transaction_session_timeout") == 1000 * wanted.idle_s
            connection.commit()  # a second transaction of the same loan has them too
    with database.connection() as connection:  # the same connection, lent for another purpose
        assert setting(connection, "statement_timeout") == 1000 * DEADLINES[Purpose.WORK].statement_s


def test_reading_can_write_nothing(database: Database) -> None:
    with database.reading() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM ledger")


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.MIGRATION])
def test_a_server_that_answers_nothing_any_more_is_given_up(
    remote: Database, network: SilentNetwork, purpose: Purpose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DEADLINES, purpose, deadlines.Deadline(30, 5, 5, answer_s=0.5))
    ask(remote)

    def call() -> None:
        with remote.connection(purpose) as connection:
            connection.execute("SELECT 1")
            network.fall_silent()
            connection.execute("SELECT 1")

    began = time.monotonic()
    assert "did not answer within" in failure(call)
    assert time.monotonic() - began < 5


def test_the_keeper_s_deadline_is_shorter_than_the_shortest_lease(
    remote: Database, network: SilentNetwork
) -> None:
    ask(remote, Purpose.KEEPER)
    network.fall_silent()

    def fails() -> None:
        with pytest.raises(DatabaseUnavailable, match="did not answer within 4 s"):
            ask(remote, Purpose.KEEPER)

    assert took(fails) < 5


def test_hurry_ends_a_call_under_way_in_any_purpose(remote: Database, network: SilentNetwork) -> None:
    for purpose in Purpose:
        ask(remote, purpose)
    ends: list[float] = []
    entered = threading.Barrier(4)

    def call(purpose: Purpose) -> None:
        with suppress(DatabaseUnavailable), remote.connection(purpose) as connection:
            connection.execute("SELECT 1")
            entered.wait()
            connection.execute("SELECT pg_sleep(60)")
        ends.append(time.monotonic())

    calls = [
        threading.Thread(target=call, args=(p,)) for p in (Purpose.WORK, Purpose.ADMIN, Purpose.MIGRATION)
    ]
    for one in calls:
        one.start()
    entered.wait()
    time.sleep(0.2)
    network.fall_silent()
    waits_for_a_place = threading.Thread(target=lambda: failure(lambda: ask(remote)))
    waits_for_a_place.start()
    time.sleep(0.2)
    began = time.monotonic()
    remote.hurry(1.0)
    for one in [*calls, waits_for_a_place]:
        one.join(10)
    assert len(ends) == 3
    assert time.monotonic() - began < 4
    # A server that was silent in the hurry isn't waited for again and again.
    assert took(lambda: [failure(lambda: ask(remote)) for _ in range(5)]) < 4


def test_closing_never_waits(remote: Database, network: SilentNetwork) -> None:
    failed: list[BaseException] = []

    def hang() -> None:
        try:
            ask(remote, Purpose.MIGRATION, "SELECT pg_sleep(60)")
        except DatabaseUnavailable as error:
            failed.append(error)

    ask(remote)
    caller = threading.Thread(target=hang)
    caller.start()
    time.sleep(0.3)
    network.fall_silent()
    assert took(remote.close) < 1
    caller.join(5)
    assert failed


def test_a_server_process_that_is_suspended_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DEADLINES, Purpose.KEEPER, deadlines.Deadline(3, 2, 3, answer_s=0.5))
    stopped: list[int] = []

    def call() -> None:
        with database.connection(Purpose.KEEPER) as connection:
            connection.execute("SELECT 1")
            stopped.append(connection.info.backend_pid)
            os.kill(stopped[0], signal.SIGSTOP)
            connection.execute("SELECT 1")

    try:
        assert "did not answer" in failure(call)
        ask(database)  # others go on
    finally:
        os.kill(stopped[0], signal.SIGCONT)


def test_a_host_that_vanishes_in_its_transaction_lets_go_within_a_lease(
    remote: Database, network: SilentNetwork, postgres: PostgresServer
) -> None:
    with remote.connection() as connection:
        connection.execute("CREATE TABLE thing (id int PRIMARY KEY, n int)")
        connection.execute("INSERT INTO thing VALUES (1, 0)")
        name = connection.info.dbname
    healthy = Database(postgres.dsn(name))
    healthy.open()
    vanished = threading.Event()
    gone = threading.Event()

    def vanish() -> None:
        with suppress(DatabaseUnavailable), remote.connection() as connection:
            connection.execute("UPDATE thing SET n = 1")
            network.fall_silent()
            vanished.set()
            gone.wait(20)
            remote.hurry(0.1)
            connection.execute("SELECT 1")

    host = threading.Thread(target=vanish)
    host.start()
    vanished.wait(5)
    try:
        assert took(lambda: ask(healthy, sql="UPDATE thing SET n = n + 10")) < 5
        with healthy.connection() as connection:
            assert connection.execute("SELECT n FROM thing").fetchone() == (10,)
    finally:
        gone.set()
        host.join(10)
        healthy.close()


def test_who_waits_for_a_row_that_is_held_is_told_which(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(database, sql="CREATE TABLE thing (id int PRIMARY KEY, n int)")
    ask(database, sql="INSERT INTO thing VALUES (1, 0)")
    monkeypatch.setitem(DEADLINES, Purpose.ADMIN, deadlines.Deadline(5, 0.3, 5, 6))
    with database.connection() as holder:
        holder.execute("UPDATE thing SET n = 1")
        with pytest.raises(DatabaseUnavailable, match=r"another transaction holds.*tuple.*thing"):
            ask(database, Purpose.ADMIN, "UPDATE thing SET n = 2")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"port": "1"}, "refused"),
        ({"host": "no-such-host.invalid"}, "no-such-host.invalid"),
        ({"dbname": "no_such_database"}, 'database "no_such_database" does not exist'),
        ({"user": "no_such_user"}, 'role "no_such_user" does not exist'),
    ],
)
def test_what_is_wrong_with_the_address_is_said_at_once(
    postgres: PostgresServer, network: SilentNetwork, change: dict[str, str], says: str
) -> None:
    where = {
        "host": "127.0.0.1",
        "port": str(network.port),
        "user": "postgres",
        "dbname": "postgres",
    } | change
    pool = Database(psycopg.conninfo.make_conninfo(**where))
    pool.open()

    def fails() -> None:
        with pytest.raises(DatabaseUnavailable, match=says):
            ask(pool)

    assert took(fails) < 3
    pool.close()


def test_a_server_that_went_away_in_mid_life_is_waited_for(postgres: PostgresServer) -> None:
    where = [postgres.dsn()]
    pool = Database(lambda: where[0], timeout_s=10)
    pool.open()
    ask(pool)
    with psycopg.connect(postgres.dsn(), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'bec' AND datname = 'postgres'"
        )
    time.sleep(0.3)
    where[0] = "host=127.0.0.1 port=1"
    threading.Timer(1.0, lambda: where.__setitem__(0, postgres.dsn())).start()
    assert 0.5 < took(lambda: ask(pool)) < 5
    pool.close()


def test_keepalives_are_on(remote: Database) -> None:
    with remote.connection() as connection:
        parameters = connection.info.get_parameters()
        assert parameters["tcp_user_timeout"] == "20000"
        assert parameters["keepalives_idle"] == "10"


def test_a_loan_costs_one_round_trip_for_begin_one_for_commit(database: Database) -> None:
    ask(database)
    waits = []
    with database.connection(Purpose.KEEPER) as connection:
        inner = connection.wait
        connection.wait = lambda *a, **k: (waits.append(1), inner(*a, **k))[1]  # type: ignore[method-assign]
        connection.execute("SELECT 1")
    del connection.wait
    assert len(waits) == 2  # BEGIN with its settings and the statement are one wait; COMMIT


def test_as_many_as_allowed_at_once_and_no_more(database: Database) -> None:
    small = Database(database._conninfo, max_size=2, timeout_s=0.3)
    small.open()
    with small.connection() as one, small.connection() as two:
        assert one.info.backend_pid != two.info.backend_pid
        with pytest.raises(DatabaseUnavailable, match="all 2 stayed in use"):
            ask(small)
        small.allow(3)
        ask(small)
    small.close()


def test_an_exception_undoes_the_transaction_and_keeps_the_connection(database: Database) -> None:
    with database.connection() as connection:
        pid = connection.info.backend_pid
    with suppress(ZeroDivisionError), database.connection() as connection:
        connection.execute("CREATE TABLE thing ()")
        raise ZeroDivisionError
    with database.connection() as connection:
        assert connection.info.backend_pid == pid
        assert connection.execute("SELECT to_regclass('thing')").fetchone() == (None,)
