"""One at a time, for longer than a transaction: who waits says for whom, and nobody waits for the dead."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event

import pytest
from loguru import logger

from bec_core.db import Database, Purpose, deadlines
from bec_core.db.deadlines import DEADLINES
from bec_core.db.locks import ENQUEUEING, only_one
from bec_core.errors import ConflictError

KEY = (ENQUEUEING, 7)
WHAT = "asking job ldv1 for volumes"
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logger.add(lines.append, level="WARNING", format="{message}")
    yield lines
    logger.remove(handler)


def hold(dsn: str, held: Event, over: Event, write: bool) -> None:
    """Another process that holds the lock, and goes on where it was when it is woken."""
    database = Database(dsn)
    database.open()
    try:
        with only_one(database, KEY, WHAT) as lock:
            with database.connection(Purpose.ADMIN) as connection:
                lock.confirm(connection)
                if write:
                    connection.execute("INSERT INTO written VALUES ('first')")
                    held.set()
                    over.wait()
            held.set()
            over.wait()
            with database.connection(Purpose.ADMIN) as connection:
                lock.confirm(connection)
                connection.execute("INSERT INTO written VALUES ('too late')")
    finally:
        database.close()


@pytest.fixture
def patient(database: Database) -> Database:
    with database.connection() as connection:
        connection.execute("CREATE TABLE written (what text)")
    return database


def test_one_after_the_other(database: Database) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with only_one(database, KEY, WHAT):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert most == [1, 1, 1, 1]


def test_jobs_do_not_wait_for_each_other(database: Database) -> None:
    with only_one(database, (ENQUEUEING, 1), WHAT), only_one(database, (ENQUEUEING, 2), WHAT):
        pass


def test_who_waits_says_after_two_seconds_for_whom(database: Database, said: list[str]) -> None:
    over = threading.Event()
    held = threading.Event()
    pids: list[int] = []

    def other() -> None:
        with only_one(database, KEY, WHAT) as lock:
            pids.append(lock._pid)
            held.set()
            over.wait(10)

    holder = threading.Thread(target=other)
    holder.start()
    held.wait(5)
    threading.Timer(2.8, over.set).start()
    with only_one(database, KEY, WHAT):
        pass
    holder.join()
    assert len(said) == 1
    assert (
        f"server process {pids[0]} (bec, user postgres, from the server's own machine), since 20" in said[0]
    )
    assert WHAT in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("write", [False, True], ids=["between its writes", "in the middle of a write"])
def test_a_suspended_holder_blocks_nobody_for_ever_and_writes_nothing_after(
    patient: Database, write: bool
) -> None:
    held, over = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=hold, args=(patient._conninfo, held, over, write))
    process.start()
    assert held.wait(20)
    assert process.pid
    os.kill(process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with only_one(patient, KEY, WHAT) as lock, patient.connection(Purpose.ADMIN) as connection:
            lock.confirm(connection)
            connection.execute("INSERT INTO written VALUES ('second')")
            assert time.monotonic() - began < DEADLINES[Purpose.ADMIN].idle_s + 10
            os.kill(process.pid, signal.SIGCONT)
            over.set()
            process.join(20)
        assert process.exitcode == 1  # it was told
        with patient.connection() as connection:
            assert connection.execute("SELECT what FROM written").fetchall() == [("second",)]
    finally:
        process.kill()


def test_a_lock_is_kept_for_as_long_as_its_holder_lives(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DEADLINES, Purpose.ADMIN, deadlines.Deadline(5, 5, idle_s=0.6, answer_s=6))
    monkeypatch.setattr("bec_core.db.locks._BEAT_S", 0.1)
    with only_one(database, KEY, WHAT) as lock:
        time.sleep(1.5)
        with database.connection(Purpose.ADMIN) as connection:
            lock.confirm(connection)


def test_a_lock_that_was_lost_is_not_confirmed(database: Database) -> None:
    with only_one(database, KEY, WHAT) as lock, database.connection() as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (lock._pid,))
        time.sleep(0.3)
        with pytest.raises(ConflictError, match="run the command again"):
            lock.confirm(connection)


def test_a_held_lock_holds_nothing_back_from_vacuum(database: Database) -> None:
    with only_one(database, KEY, WHAT) as lock, database.connection() as connection:
        row = connection.execute(
            "SELECT backend_xmin, backend_xid FROM pg_stat_activity WHERE pid = %s", (lock._pid,)
        ).fetchone()
        assert row == (None, None)
