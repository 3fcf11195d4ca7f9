"""A pool of connections, and opening the database that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from bec_core.db import schema
from bec_core.errors import DatabaseUnavailable
from bec_core.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]


# besides lost connections: a standby after a failover ("read-only transaction"), a connection closed under us
_TROUBLE = (psycopg.OperationalError, psycopg.InternalError, psycopg.InterfaceError)


class Database:
    """Connections to one PostgreSQL database, to be borrowed for a moment and never across a volume."""

    def __init__(
        self, conninfo: str | Callable[[], str], *, max_size: int = 4, timeout_s: float = 30.0
    ) -> None:
        self._conninfo = conninfo
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            conninfo,
            min_size=0,
            max_size=max_size,
            timeout=timeout_s,
            open=False,
            check=ConnectionPool.check_connection,
            reconnect_timeout=timeout_s,
            kwargs={"application_name": "bec", "connect_timeout": 10},
        )

    def open(self) -> None:
        """Open the pool (connections are made when first needed)."""
        self._pool.open()

    def allow(self, connections: int) -> None:
        """Let so many connections be open at once, if that is more than before."""
        if connections > self._pool.max_size:
            self._pool.resize(min_size=0, max_size=connections)

    def hurry(self, timeout_s: float) -> None:
        """From now on wait no longer than this for a connection: the process is about to end."""
        self._pool.timeout = timeout_s

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Borrow a connection for one transaction: committed at the end, rolled back on an exception.

        Raises:
            DatabaseUnavailable: there is none within the timeout, or it broke while in use.
        """
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout:
            raise DatabaseUnavailable(f"no connection to PostgreSQL: {self._probe()}") from None
        except _TROUBLE as error:
            raise DatabaseUnavailable(f"PostgreSQL: {_first_line(error)}") from error

    def _probe(self) -> str:
        """Why no connection can be made, in the server's own words."""
        try:
            conninfo = self._conninfo if isinstance(self._conninfo, str) else self._conninfo()
            psycopg.connect(conninfo, connect_timeout=3).close()
        except psycopg.OperationalError as error:
            return _first_line(error)
        return "all connections stayed in use for too long"


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

    The embedded database gets its schema by itself.

    Raises:
        DatabaseUnavailable: it can't be started or reached, or (with ``require_schema``) lacks the schema.
    """
    if settings.is_local:
        from bec_core.db.embedded import embedded_server  # not needed by those who have a server

        with embedded_server(settings.home) as server:
            # Asked for each new connection: a server that was killed is started again.
            yield from _use(server.ensure_running, max_size, schema.ensure)
    else:
        check = schema.require if require_schema else _accept
        yield from _use(external_conninfo(settings), max_size, check)


def _accept(_: Connection) -> None:
    """No check."""


def _use(
    conninfo: str | Callable[[], str], max_size: int, prepare: Callable[[Connection], None]
) -> Iterator[Database]:
    database = Database(conninfo, max_size=max_size)
    database.open()
    try:
        with database.connection() as connection:
            prepare(connection)
        yield database
    finally:
        database.close()
