"""Preparing the database, bringing it from version to version, and saying where it stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from attrs import frozen

from bec_core.db import Database, Purpose, open_database
from bec_core.db.embedded import stop_idle_server
from bec_core.db.migrations import Phase, carried, chosen, level, look, upgrade
from bec_core.db.migrations.standing import broken_indexes, missing_grants
from bec_core.errors import ConflictError
from bec_core.settings import Settings


@frozen
class Upgraded:
    """What an upgrade did, or would do.

    ``created`` if the database had no version; ``left`` is for after the code; ``grants`` is SQL that workers' roles
    of their own still need.
    """

    where: str
    created: bool
    done: list[str]
    left: list[str]
    grants: list[str]


@frozen
class MigrationState:
    """A migration: ``applied``, ``pending``, or ``newer``: applied by a newer BEC and unknown to this one."""

    version: int
    name: str
    state: str
    phase: str
    oldest_code: int
    applied_at: datetime | None
    by: str | None
    sentence: str | None


@frozen
class ServerStatus:
    """The embedded server's process, since when it runs, and for how long it stays after its last user."""

    pid: int
    since: datetime
    idle_s: float


@frozen
class SchemaStatus:
    """Where a database stands: the level of this code, why it can't use the database (None: it can), each migration.

    ``server`` is the embedded server, if there is one.
    """

    database: str
    code_level: int
    unfit: str | None
    migrations: list[MigrationState]
    broken_indexes: list[str]
    missing_grants: list[str]
    server: ServerStatus | None = None


def _silent(_: str) -> None:
    """Say nothing."""


def upgrade_database(
    settings: Settings,
    *,
    phase: str | None = None,
    dry_run: bool = False,
    step: Callable[[str], None] = _silent,
    waiting: Callable[[str], None] = _silent,
) -> Upgraded:
    """Apply the migrations of a phase, or (dry run) only look.

    Without a phase a database that no BEC prepared yet gets everything, and any other what goes before the code.

    Raises:
        ConflictError: the phase does not fit where the database and its workers stand.
        DatabaseUnavailable: it can't be started or reached, or the role may not change it.
    """
    wanted = Phase(phase) if phase else None
    with (
        open_database(settings, require_schema=False) as database,
        database.connection(Purpose.MIGRATION) as connection,
    ):
        standing = look(connection)
        if dry_run:
            planned = chosen(standing, wanted)
            done = [migration.label for migration in planned] + broken_indexes(connection)
            left = [m.label for m in standing.pending(Phase.AFTER) if m not in planned]
        else:
            done = upgrade(connection, wanted, step=step, waiting=waiting)
            left = [migration.label for migration in look(connection).pending(Phase.AFTER)]
        grants = missing_grants(connection)
    return Upgraded(_where(settings), standing.bare, done, left, grants)


def schema_status(settings: Settings) -> SchemaStatus:
    """Where the database stands; changes nothing.

    Raises:
        DatabaseUnavailable: it can't be started or reached, or the role may not read it.
    """
    with open_database(settings, require_schema=False) as database, database.connection() as connection:
        standing, broken = look(connection), broken_indexes(connection)
        grants = missing_grants(connection)
        server = _server(database)
    known = {migration.version: migration for migration in carried()}
    states = [
        MigrationState(
            version=done.version,
            name=done.name,
            state="applied" if done.version in known else "newer",
            phase=done.phase.value,
            oldest_code=done.oldest_code,
            applied_at=done.applied_at,
            by=done.by,
            sentence=known[done.version].sentence if done.version in known else None,
        )
        for done in standing.applied
    ] + [
        MigrationState(m.version, m.name, "pending", m.phase.value, m.oldest_code, None, None, m.sentence)
        for phase in Phase
        for m in standing.pending(phase)
    ]
    states.sort(key=lambda state: state.version)
    return SchemaStatus(_where(settings), level(), standing.unfit, states, broken, grants, server)


def _server(database: Database) -> ServerStatus | None:
    process = database.server.process if database.server is not None else None
    if database.server is None or process is None:
        return None
    since = datetime.fromtimestamp(process.create_time(), UTC)
    return ServerStatus(process.pid, since, database.server.idle_s)


def stop_server(settings: Settings) -> bool:
    """Stop the embedded server, which nobody may be using; False: it did not run.

    Raises:
        ConflictError: somebody uses it; or the database is not BEC's own.
        DatabaseUnavailable: it can't be stopped.
    """
    if not settings.is_local:
        raise ConflictError(f"the database ({_where(settings)}) is not BEC's to stop")
    stopped = stop_idle_server(settings.home)
    if stopped is False:
        raise ConflictError(
            f"another bec uses the database ({_where(settings)}); it stops when the last one has ended"
        )
    return stopped is True


def _where(settings: Settings) -> str:
    return (
        f"embedded, in {settings.home}"
        if settings.is_local
        else f"{settings.sql_host}/{settings.sql_database}"
    )
