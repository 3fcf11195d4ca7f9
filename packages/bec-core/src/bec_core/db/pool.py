"""A pool of connections, and opening the database that the settings name."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from bec_core.db import schema
from bec_core.db.connection import CONNECT_S, Connection, connect
from bec_core.db.deadlines import Purpose, Watchdog
from bec_core.db.rights import denied
from bec_core.errors import DatabaseUnavailable
from bec_core.settings import Settings

if TYPE_CHECKING:
    from bec_core.db.embedded import EmbeddedServer

__all__ = ["Connection", "Database", "Purpose", "external_conninfo", "open_database"]

# besides lost connections: a standby after a failover ("read-only transaction"), a connection closed under us
_TROUBLE = (psycopg.OperationalError, psycopg.InternalError, psycopg.InterfaceError)
_RETRY_PAUSE_S = (0.1, 2.0)  # after a connection that could not be made: first and longest pause
_HOPELESS_S = 0.3  # in a hurry, and the server has already been silent once


class Database:
    """Connections to one PostgreSQL database, to be borrowed for a moment and never across a volume.

    The first connection of all is tried once: what is wrong with the address or the login is said at once.
    After it a server that went away is waited for, ``timeout_s`` long.

    ``server`` is the embedded server, if that is what it connects to.
    """

    def __init__(
        self, conninfo: str | Callable[[], str], *, max_size: int = 4, timeout_s: float = 30.0
    ) -> None:
        self._conninfo = conninfo
        self._max_size = max_size
        self._timeout_s = timeout_s
        self._idle: list[Connection] = []  # the last one given back is lent first
        self._lent = 0
        self._reached = False
        self._closed = True
        self._hurried: tuple[float, float] | None = None  # when, and how long anything may take from then on
        self._changed = threading.Condition()
        self._watchdog = Watchdog()
        self.server: EmbeddedServer | None = None

    def open(self) -> None:
        """Open the pool (connections are made when first needed)."""
        self._closed = False

    def allow(self, connections: int) -> None:
        """Let so many connections be open at once, if that is more than before."""
        with self._changed:
            self._max_size = max(self._max_size, connections)
            self._changed.notify_all()

    def hurry(self, timeout_s: float) -> None:
        """The process is about to end: from now on wait no longer than this for anything.

        It holds for calls under way too: they end within ``timeout_s`` from now.
        """
        with self._changed:
            limit = min(timeout_s, self._hurried[1] if self._hurried else math.inf)
            self._hurried = (time.monotonic(), limit)
            self._changed.notify_all()
        self._watchdog.hurry(timeout_s)

    def close(self) -> None:
        """Close every connection; one that is in use ends with an error. Never waits."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        self._watchdog.close()
        for connection in idle:
            connection.close()

    @contextmanager
    def connection(self, purpose: Purpose = Purpose.WORK) -> Iterator[Connection]:
        """Borrow a connection for one transaction: committed at the end, rolled back on an exception.

        Raises:
            DatabaseUnavailable: there is none within the timeout, it broke while in use, or a deadline of
                the purpose has passed.
        """
        borrowed: Connection | None = None
        try:
            borrowed = self._borrow()
            borrowed.prepare_for(purpose)
            try:
                yield borrowed
            except BaseException:
                _roll_back(borrowed)
                raise
            borrowed.commit()
        except psycopg.errors.InsufficientPrivilege as error:
            user = borrowed.info.user if borrowed is not None else "the user"
            raise DatabaseUnavailable(f"PostgreSQL: {denied(error, user)}") from error
        except _TROUBLE as error:
            raise DatabaseUnavailable(f"PostgreSQL: {self._explain(error, borrowed)}") from error
        finally:
            if borrowed is not None:
                self._give_back(borrowed)

    def reading(self) -> AbstractContextManager[Connection]:
        """Borrow a connection for a transaction that can write nothing, for as long as a listing takes."""
        return self.connection(Purpose.READ)

    # -- lending --------------------------------------------------------------------------------------

    def _borrow(self) -> Connection:
        began = time.monotonic()
        while True:
            found = self._idle_or_place(began)
            if found is None:
                try:
                    return self._make(began)
                except BaseException:
                    self._vacate()
                    raise
            if found.alive():
                return found
            found.close()
            self._vacate()

    def _idle_or_place(self, began: float) -> Connection | None:
        """An idle connection, or None: there is room for a new one. Either way one more is lent."""
        with self._changed:
            while True:
                if self._closed:
                    raise DatabaseUnavailable(
                        "the connections to PostgreSQL are closed: the process is ending"
                    )
                if self._idle or self._lent < self._max_size:
                    self._lent += 1
                    return self._idle.pop() if self._idle else None
                left = self._ends(began) - time.monotonic()
                if left <= 0:
                    raise DatabaseUnavailable(
                        f"no connection to PostgreSQL: all {self._max_size} stayed in use for too long"
                    )
                self._changed.wait(left)

    def _vacate(self) -> None:
        with self._changed:
            self._lent -= 1
            self._changed.notify()

    def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()
        with self._changed:
            self._lent -= 1
            keep = not self._closed and not connection.closed
            if keep:
                self._idle.append(connection)
            self._changed.notify()
        if not keep:
            connection.close()

    # -- connecting -----------------------------------------------------------------------------------

    def _make(self, began: float) -> Connection:
        """A new connection; one that can't be made is tried again, unless there never was one."""
        pause, longest = _RETRY_PAUSE_S
        while True:
            try:
                made = self._connect(began)
                self._reached = True
                return made
            except _TROUBLE as error:
                with self._changed:
                    left = self._ends(began) - time.monotonic()
                    if not self._reached or self._closed or left <= pause:
                        raise DatabaseUnavailable(
                            f"no connection to PostgreSQL: {_first_line(error)}"
                        ) from error
                    self._changed.wait(pause)
                pause = min(2 * pause, longest)

    def _connect(self, began: float) -> Connection:
        """Connect in a thread of its own: looking up a name, or a login, can't be told to stop."""
        attempt = _Attempt(self._conninfo, self._watchdog, self._changed)
        with self._changed:
            # time for every address that the name stands for; a hurry ends it before
            allowed = max(self._ends(began), time.monotonic() + 2 * CONNECT_S)
            while not attempt.over:
                ends = min(allowed, self._hurried_end())
                if self._closed or time.monotonic() >= ends:
                    attempt.abandoned = True
                    self._give_up()
                    raise psycopg.errors.ConnectionTimeout("the server did not answer in time")
                self._changed.wait(max(0.0, min(1.0, ends - time.monotonic())))
        return attempt.result()

    def _ends(self, began: float) -> float:
        """Until when a call that began then may wait for a connection."""
        return min(began + self._timeout_s, self._hurried_end(began))

    def _hurried_end(self, began: float = 0.0) -> float:
        if self._hurried is None:
            return math.inf
        since, limit = self._hurried
        return max(since, began) + limit

    def _give_up(self) -> None:
        """A server that is silent while we hurry isn't waited for again and again."""
        if self._hurried is not None:
            self._hurried = (self._hurried[0], min(self._hurried[1], _HOPELESS_S))
            self._watchdog.hurry(_HOPELESS_S)

    def _explain(self, error: BaseException, connection: Connection | None) -> str:
        if connection is not None and connection.cut_after_s is not None:
            with self._changed:
                self._give_up()
            return f"the server did not answer within {connection.cut_after_s:.0f} s"
        if isinstance(error, psycopg.errors.LockNotAvailable):
            place = " ".join((error.diag.context or "").split("\n", 1)[0].split())
            return f"another transaction holds what this one waits for ({place or 'a lock'}): {_first_line(error)}"
        return _first_line(error)


class _Attempt:
    """A connection being made in a thread; its maker may have given up by the time it is there."""

    def __init__(
        self, conninfo: str | Callable[[], str], watchdog: Watchdog, changed: threading.Condition
    ) -> None:
        self._conninfo = conninfo
        self._watchdog = watchdog
        self._changed = changed
        self._made: Connection | None = None
        self._error: BaseException | None = None
        self.over = False
        self.abandoned = False
        threading.Thread(target=self._run, name="bec-connect", daemon=True).start()

    def result(self) -> Connection:
        """What came of it."""
        if self._error is not None:
            raise self._error
        assert self._made is not None
        return self._made

    def _run(self) -> None:
        try:
            conninfo = self._conninfo if isinstance(self._conninfo, str) else self._conninfo()
            self._made = connect(conninfo, self._watchdog)
        except BaseException as error:  # noqa: BLE001 - raised where it was asked for
            self._error = error
        with self._changed:
            self.over = True
            self._changed.notify_all()
            unwanted = self._made if self.abandoned else None
        if unwanted is not None:
            unwanted.close()


def _roll_back(connection: Connection) -> None:
    """Undo what was done; a connection that can't is of no more use, and the server undoes it by itself."""
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]


def external_conninfo(settings: Settings) -> str:
    """The conninfo of the server that ``BEC_SQL_*`` names."""
    return make_conninfo(
        host=settings.sql_host,
        port=settings.sql_port,
        user=settings.sql_user,
        password=settings.sql_password.reveal() if settings.sql_password else None,
        dbname=settings.sql_database,
        sslmode=settings.sslmode,
    )


@contextmanager
def open_database(
    settings: Settings, *, max_size: int = 4, require_schema: bool = True
) -> Iterator[Database]:
    """The database that the settings name: the embedded one, started if need be, or ``BEC_SQL_HOST``'s.

    The embedded database gets its schema by itself (with ``require_schema``).

    Raises:
        DatabaseUnavailable: it can't be started or reached, or (with ``require_schema``) its schema does not fit this
            code.
    """
    if settings.is_local:
        from bec_core.db.embedded import embedded_server, idle_s  # not needed by those who have a server

        with embedded_server(settings.home, idle_s=idle_s(settings.database_idle_s)) as server:
            # Asked for each new connection: a server that was killed is started again.
            prepare = schema.ensure if require_schema else _accept
            yield from _use(server.ensure_running, max_size, prepare, Purpose.MIGRATION, server)
    else:
        check = schema.require if require_schema else _accept
        yield from _use(external_conninfo(settings), max_size, check, Purpose.READ)


def _accept(_: Connection) -> None:
    """No check."""


def _use(
    conninfo: str | Callable[[], str],
    max_size: int,
    prepare: Callable[[Connection], None],
    purpose: Purpose,
    server: EmbeddedServer | None = None,
) -> Iterator[Database]:
    database = Database(conninfo, max_size=max_size)
    database.server = server
    database.open()
    try:
        with database.connection(purpose) as connection:
            prepare(connection)
        yield database
    finally:
        database.close()
