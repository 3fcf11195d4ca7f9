"""Applying migrations: one upgrade at a time, each migration with its version row, interrupted ones gone on with."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

import psycopg

from bec_core.db.migrations.files import Migration, Phase, Runs, tracking_sql
from bec_core.db.migrations.standing import Standing, broken_indexes, look, maybe_old_workers
from bec_core.errors import ConflictError, DatabaseUnavailable

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

Say = Callable[[str], None]
Result = TypeVar("Result")

# Two numbers of ours. The first is held by the session as long as an upgrade lasts. The second is what code from before
# numbered migrations waits for, so it is held by transactions only: CREATE INDEX CONCURRENTLY waits for every open
# snapshot, and one of its own waiters would be a deadlock. For the same reason nobody waits inside the server for the
# first. schema.sql takes both.
_UPGRADE_LOCK = 0x62656D69
_OLD_LOCK = 0x6265635F

_POLL_S = 0.5
_SAY_AFTER_S = 2.0
_LOCK_TIMEOUT = "2s"  # whoever waits for a table's lock makes all others wait behind it


def chosen(standing: Standing, phase: Phase | None) -> list[Migration]:
    """What an upgrade would apply. Without a phase: all of it on a bare database, else what goes before the code.

    Raises:
        ConflictError: *after* was asked for, and what goes before is not done; or this code is too old.
    """
    if standing.excluded:
        raise ConflictError(standing.excluded)
    before, after = standing.pending(Phase.BEFORE), standing.pending(Phase.AFTER)
    if phase is Phase.AFTER:
        if before:
            raise ConflictError(
                f"{before[0].label} is for before the code and not applied yet; first: bec db upgrade --phase before"
            )
        return after
    return before + after if phase is None and standing.bare else before


def upgrade(connection: Connection, phase: Phase | None, *, step: Say, waiting: Say) -> list[str]:
    """Apply what :func:`chosen` says, and rebuild broken indexes; returns the names of what was done.

    ``step`` hears what is done, ``waiting`` what for it waits. The connection must be outside a transaction.

    Raises:
        ConflictError: as :func:`chosen`; or *after*, while workers live that may be of older code.
        DatabaseUnavailable: the role may not, or a migration failed; nothing of that one stays.
    """
    done = []
    with _explained(connection), _working(connection), _alone(connection, waiting):
        standing = _patiently(connection, "the upgrade", waiting, lambda: look(connection))
        planned = chosen(standing, phase)
        if phase is Phase.AFTER and planned and (old := maybe_old_workers(connection)):
            raise ConflictError(
                f"workers that may be of older code still run: {', '.join(old)}. Stop them or let them end, start them "
                "with the new code, and then: bec db upgrade --phase after"
            )
        if planned:
            connection.execute(tracking_sql().encode())
        for name in broken_indexes(connection):  # before a migration finds that there is an index of the name
            _still_alone(connection)
            step(f"{name}: an interrupted build left it without use; building it again")
            _rebuild(connection, name)
            done.append(name)
        for migration in planned:
            _still_alone(connection)
            step(f"{migration.label}: {migration.sentence}")
            _RUN[migration.runs](connection, migration, step, waiting)
            done.append(migration.label)
    return done


def _patiently(connection: Connection, what: str, waiting: Say, work: Callable[[], Result]) -> Result:
    """Work in a transaction, alone with regard to old code too; anew, after a pause, when a lock is not to be had."""
    said: str | None = None
    while True:
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'".encode())
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_OLD_LOCK,))
                return work()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if (holders := _transactions(connection, with_locks=True)) != said:
                waiting(f"{what} waits for {holders or 'the lock of a table'}")
                said = holders
            time.sleep(_POLL_S)


def _together(connection: Connection, migration: Migration, _: Say, waiting: Say) -> None:
    def work() -> None:
        connection.execute(migration.sql.encode())
        _record(connection, migration)

    _patiently(connection, migration.label, waiting, work)


def _outside(connection: Connection, migration: Migration, _: Say, waiting: Say) -> None:
    if older := _transactions(connection, with_locks=False):
        waiting(f"{migration.label} waits until these transactions have ended: {older}")
    connection.execute(migration.sql.encode())
    _record(connection, migration)


def _batches(connection: Connection, migration: Migration, step: Say, _: Say) -> None:
    after, said = 0, time.monotonic()
    while True:
        with connection.transaction():
            row = connection.execute(migration.sql.encode(), {"after": after}).fetchone()
            if row is None or row[0] is None:
                _record(connection, migration)
                return
        after = row[0]
        if time.monotonic() - said > _SAY_AFTER_S:
            step(f"{migration.label}: up to row {after:,}")
            said = time.monotonic()


_RUN = {Runs.TOGETHER: _together, Runs.OUTSIDE: _outside, Runs.BATCHES: _batches}


def _rebuild(connection: Connection, name: str) -> None:
    if "_ccnew" in name or "_ccold" in name:
        connection.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"'.encode())
    else:
        connection.execute(f'REINDEX INDEX CONCURRENTLY "{name}"'.encode())


def _record(connection: Connection, migration: Migration) -> None:
    connection.execute(
        "INSERT INTO schema_migrations (version, name, phase, oldest_code, by) VALUES (%s, %s, %s, %s, %s)",
        (
            migration.version,
            migration.name,
            migration.phase.value,
            migration.oldest_code,
            f"bec-core {version('bec-core')} on {socket.gethostname()}",
        ),
    )


@contextmanager
def _working(connection: Connection) -> Iterator[None]:
    """A connection that commits each statement, and is given the time that it takes; as it was at the end."""
    was = connection.autocommit
    if not was:
        connection.commit()  # a look at the database may have begun a transaction
        connection.autocommit = True
    limits = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
    before = {name: _setting(connection, name) for name in limits}
    try:
        for name in limits:
            connection.execute("SELECT set_config(%s, '0', false)", (name,))
        yield
    finally:
        if not (connection.closed or connection.broken):
            for name, value in before.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            connection.autocommit = was


def _setting(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


@contextmanager
def _alone(connection: Connection, waiting: Say) -> Iterator[None]:
    """Be the only upgrade of this database; wait for another one, and say so."""
    since = time.monotonic()
    said = False
    while not _true(connection, "SELECT pg_try_advisory_lock(%s)", _UPGRADE_LOCK):
        if not said and time.monotonic() - since > _SAY_AFTER_S:
            waiting(f"waiting for another upgrade: {_upgrader(connection)}")
            said = True
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        if not (connection.closed or connection.broken):
            connection.execute("SELECT pg_advisory_unlock(%s)", (_UPGRADE_LOCK,))


_HELD = """
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = %s AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_WHO = """
    concat('process ', a.pid, ' of ', a.usename, ' (', concat_ws(', ', nullif(a.application_name, ''),
           'from ' || a.client_addr, 'since ' || to_char(coalesce(a.xact_start, a.backend_start), 'HH24:MI:SS')), ')')
"""


def _still_alone(connection: Connection) -> None:
    """Refuse to go on where the lock was another server connection's: behind a pooler that lends one a transaction."""
    if not _true(connection, f"SELECT true {_HELD} AND l.pid = pg_backend_pid()", _UPGRADE_LOCK):
        raise DatabaseUnavailable(
            "the upgrade's lock is not on this connection any more (a pooler in transaction mode?): run bec db upgrade "
            "with BEC_SQL_HOST and BEC_SQL_PORT of the PostgreSQL server itself"
        )


def _upgrader(connection: Connection) -> str:
    row = connection.execute(f"SELECT {_WHO} {_HELD}".encode(), (_UPGRADE_LOCK,)).fetchone()
    return row[0] if row else "it has just ended"


def _transactions(connection: Connection, *, with_locks: bool) -> str:
    """Who has had a transaction open for a while, the longest first; ``with_locks``: one that has locked a table."""
    rows = connection.execute(
        f"""
        SELECT {_WHO} FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
          AND a.xact_start < clock_timestamp() - interval '1 s'
          AND (NOT %s OR EXISTS (
              SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
              WHERE l.pid = a.pid AND l.granted AND c.relkind = 'r' AND c.relnamespace <> 'pg_catalog'::regnamespace
          ))
        ORDER BY a.xact_start LIMIT 5
        """.encode(),
        (with_locks,),
    ).fetchall()
    return "; ".join(row[0] for row in rows)


def _true(connection: Connection, query: str, number: int) -> bool:
    row = connection.execute(query.encode(), (number,)).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def _explained(connection: Connection) -> Iterator[None]:
    """Say what to do about an error that is not the connection's."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseUnavailable(
            f"the role {connection.info.user!r} may not change the schema ({_first_line(error)}): run bec db upgrade "
            "as the owner of the tables"
        ) from error
    except (psycopg.ProgrammingError, psycopg.IntegrityError, psycopg.DataError) as error:
        raise DatabaseUnavailable(f"the upgrade failed: {_first_line(error)}") from error


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().split("\n", 1)[0]
