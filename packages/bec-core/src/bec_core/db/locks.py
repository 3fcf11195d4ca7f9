"""Being the only one who does something for longer than a transaction lasts.

A lock is an advisory lock of a transaction that is kept open beside the work, and kept alive by a thread. Nothing
of the session is used, so it works behind pgbouncer; and it ends by itself: the server ends a transaction from
which nothing was heard for ``idle_in_transaction_session_timeout`` (the purpose ``ADMIN``'s), be its process
suspended or its host gone. Between two of its statements such a transaction keeps nothing back from vacuum.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from loguru import logger

from bec_core.db.deadlines import DEADLINES, Purpose
from bec_core.errors import ConflictError, DatabaseUnavailable

if TYPE_CHECKING:
    from bec_core.db.pool import Connection, Database

ENQUEUEING = 0x6265
"""The first of two numbers: asking a job for volumes; the second number is the job's id."""

FEEDING = 0x6266
"""The same of feeding a job's queue from its ledger."""

_SAY_AFTER_S = 2.0
_SAY_AGAIN_S = 30.0
_BEAT_S = DEADLINES[Purpose.ADMIN].idle_s / 5


class Held:
    """A lock that is held, as far as anybody can know."""

    def __init__(self, key: tuple[int, int], what: str, pid: int) -> None:
        self._key = key
        self._what = what
        self._pid = pid

    def confirm(self, connection: Connection) -> None:
        """Make sure, within a transaction that is about to write, that the lock is still held.

        Whoever gets the lock next waits for that transaction's end first, also if this process is suspended
        right after the answer.

        Raises:
            ConflictError: it was lost.
        """
        connection.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", _fence(self._key))
        row = connection.execute(
            f"SELECT {_HOLDS} AND l.pid = %s LIMIT 1", (*self._key, self._pid)
        ).fetchone()
        if row is None:
            raise ConflictError(
                f"nothing was heard of this process for too long (suspended?) while it was {self._what}, and another"
                " may be doing so now: it goes no further; run the command again"
            )


@contextmanager
def only_one(database: Database, key: tuple[int, int], what: str) -> Iterator[Held]:
    """Be the only one who holds ``key``; waits for another to finish, and says for whom after two seconds.

    Holds a connection throughout. ``what`` is said to people: "asking job ldv1 for volumes".

    Raises:
        DatabaseUnavailable: the lock could not be asked for.
    """
    began = time.monotonic()
    say_at = began + _SAY_AFTER_S
    finished = False
    try:
        while not finished:
            with database.connection(Purpose.ADMIN) as connection:
                if pid := _take(connection, key, max(0.1, min(_SAY_AFTER_S, say_at - time.monotonic()))):
                    with _kept_alive(connection):
                        yield Held(key, what, pid)
                    finished = True
                elif time.monotonic() >= say_at:
                    say_at = time.monotonic() + _SAY_AGAIN_S
                    _say_for_whom(connection, key, what, time.monotonic() - began)
    except DatabaseUnavailable:
        if not finished:  # else only the lock was lost, after all was done
            raise


@contextmanager
def if_free(database: Database, key: tuple[int, int], what: str) -> Iterator[Held | None]:
    """Like :func:`only_one`, but gives None at once if somebody else holds the lock."""
    with database.connection(Purpose.ADMIN) as connection:
        pid = _take(connection, key, 0.1)
        if pid is None:
            yield None
            return
        with _kept_alive(connection):
            yield Held(key, what, pid)


def _take(connection: Connection, key: tuple[int, int], within_s: float) -> int | None:
    """Take the lock; the server process that holds it for us, or None: another one kept it."""
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{1000 * within_s:.0f}",))
    try:
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", key)
        # Nobody who confirmed it before may still be about to commit. Rolling back lets go of this second lock.
        connection.execute("SAVEPOINT fence")
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", _fence(key))
        connection.execute("ROLLBACK TO SAVEPOINT fence")
    except psycopg.errors.LockNotAvailable:
        connection.rollback()
        return None
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def _fence(key: tuple[int, int]) -> tuple[int, int]:
    return key[0] | 1 << 24, key[1]


_HOLDS = """
    FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid, l.objid) = (%s::oid, %s::oid)
"""


def _say_for_whom(connection: Connection, key: tuple[int, int], what: str, waited_s: float) -> None:
    holders = [words for one in (key, _fence(key)) if (words := _holder(connection, one))]
    logger.warning(
        "waiting ({:.0f} s so far) for another process that is {}: {}",
        waited_s,
        what,
        holders[0] if holders else "it has just ended",
    )


def _holder(connection: Connection, key: tuple[int, int]) -> str | None:
    """Who holds the lock, in words."""
    row = connection.execute(
        f"""
        SELECT l.pid, a.application_name, a.usename, host(a.client_addr), a.client_port,
               to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
               extract(epoch FROM clock_timestamp() - a.state_change)::int
        {_HOLDS} LIMIT 1
        """,
        key,
    ).fetchone()
    if row is None:
        return None
    pid, application, user, address, port, since, silent_s = row
    if since is None:  # another role's session, which only its own and the monitors may look at
        return f"server process {pid}"
    source = f"{address} port {port}" if address else "the server's own machine"
    return (
        f"server process {pid} ({application or 'no name'}, user {user}, from {source}), since {since} UTC,"
        f" last heard of {silent_s} s ago"
    )


@contextmanager
def _kept_alive(connection: Connection) -> Iterator[None]:
    """Let the server hear of the transaction often enough while the block runs."""
    over = threading.Event()
    connection.answer_within(DEADLINES[Purpose.KEEPER].answer_s)

    def beat() -> None:
        while not over.wait(_BEAT_S):
            try:
                connection.execute("SELECT 1")
            except psycopg.Error as error:
                if not over.is_set():  # whoever writes next finds it out by asking
                    logger.warning("a lock could not be kept: {}", str(error).strip().split("\n", 1)[0])
                return

    thread = threading.Thread(target=beat, name="bec-lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
