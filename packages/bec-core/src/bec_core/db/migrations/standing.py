"""Where a database stands with the migrations; nothing here writes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
from attrs import frozen

from bec_core.db.migrations.files import Migration, Phase, carried, level, needs
from bec_core.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Applied:
    """A migration that the database has."""

    version: int
    name: str
    phase: Phase
    oldest_code: int
    applied_at: datetime
    by: str

    @property
    def label(self) -> str:
        """Number and name, as in the file's name."""
        return f"{self.version:04d}_{self.name}"


@frozen
class Standing:
    """What a database has; ``bare`` if no BEC ever prepared it: it is empty, or the production line's."""

    applied: tuple[Applied, ...]
    bare: bool

    def pending(self, phase: Phase) -> list[Migration]:
        """Migrations of this code that the database lacks."""
        have = {migration.version for migration in self.applied}
        return [m for m in carried() if m.phase is phase and m.version not in have]

    @property
    def excluded(self) -> str | None:
        """Why this code can't work with the database any more; None: it can."""
        for migration in self.applied:
            if migration.oldest_code > level():
                return (
                    f"this BEC is too old for the database: {migration.label} ({migration.applied_at:%Y-%m-%d}, by "
                    f"{migration.by}) needs code of level {migration.oldest_code}, and this is {level()}; install a "
                    "newer BEC"
                )
        return None

    @property
    def unfit(self) -> str | None:
        """Why this code can't work with the database, with the way out; None: it can."""
        if self.excluded:
            return self.excluded
        if self.bare:
            return "the database has no BEC schema; run: bec db init"
        if missing := [m.label for m in self.pending(Phase.BEFORE) if m.version in needs()]:
            return f"the database is older than this BEC and lacks {', '.join(missing)}; run: bec db upgrade"
        return None


def look(connection: Connection) -> Standing:
    """Where the database stands.

    Raises:
        DatabaseUnavailable: the role may not read it.
    """
    row = connection.execute(
        "SELECT to_regclass('schema_migrations') IS NOT NULL, to_regclass('schema_state') IS NOT NULL"
    ).fetchone()
    assert row is not None
    numbered, older = row
    if not numbered:
        return Standing((), bare=not older)
    try:
        rows = connection.execute(
            "SELECT version, name, phase, oldest_code, applied_at, by FROM schema_migrations ORDER BY version"
        ).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        role = connection.info.user
        raise DatabaseUnavailable(
            f"the role {role!r} may not read which schema the database has; as the tables' owner: "
            f'GRANT SELECT ON schema_migrations TO "{role}"'
        ) from None
    applied = tuple(Applied(r[0], r[1], Phase(r[2]), *r[3:]) for r in rows)
    return Standing(applied, bare=not (applied or older))


def broken_indexes(connection: Connection) -> list[str]:
    """Indexes of ours that an interrupted CREATE or REINDEX INDEX CONCURRENTLY left: written to, and used by nobody.

    A ``…_ccnew`` is what REINDEX leaves beside an index that is still good.
    """
    rows = connection.execute(
        """
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE NOT i.indisvalid AND pg_table_is_visible(c.oid)
          AND regexp_replace(c.relname, '_cc(new|old)\\d*$', '') = ANY(%s) ORDER BY c.relname
        """,
        ([name for migration in carried() for name in migration.indexes],),
    )
    return [row[0] for row in rows]


def missing_grants(connection: Connection) -> list[str]:
    """What the tables' owner has to run so that the workers' roles may use tables that are new to them.

    A worker's role is one that was given INSERT on ``task_executions``; a new table knows nothing of it.
    """
    tables = [name for migration in carried() for name in migration.tables]
    rows = connection.execute(
        """
        SELECT format('GRANT %%s ON %%I TO %%I', string_agg(DISTINCT given.privilege_type, ', '), c.relname, r.rolname)
        FROM pg_class model CROSS JOIN aclexplode(model.relacl) given
        JOIN pg_roles r ON r.oid = given.grantee AND r.oid <> model.relowner
        JOIN pg_class c ON c.oid = ANY(SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) name)
            OR c.oid = to_regclass('schema_migrations') AND given.privilege_type = 'SELECT'
        WHERE model.oid = to_regclass('task_executions') AND has_table_privilege(r.oid, model.oid, 'INSERT')
          AND given.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
          AND NOT has_table_privilege(r.oid, c.oid, given.privilege_type)
        GROUP BY c.relname, r.rolname ORDER BY r.rolname, c.relname
        """,
        {"tables": tables},
    )
    return [row[0] for row in rows]


def maybe_old_workers(connection: Connection) -> list[str]:
    """Living workers that may run code from before numbered migrations: they name no recipe."""
    rows = connection.execute(
        """
        SELECT format('%s (%s)', worker_id, hostname) FROM workers
        WHERE stopped_at IS NULL AND recipe IS NULL AND last_heartbeat_at > statement_timestamp() - interval '45 s'
        ORDER BY worker_id
        """
    )
    return [row[0] for row in rows]


def used_by_others(connection: Connection) -> bool:
    """Whether anybody else is connected to the database."""
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    ).fetchone()
    return row is not None and row[0] > 0
