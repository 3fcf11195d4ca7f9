"""Applying ``schema.sql`` and telling whether a database has it."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from bec_core.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

_LOCK = 0x6265635F  # any number of ours: two processes must not apply the schema at the same time


def schema_sql() -> str:
    """The text of ``schema.sql``."""
    return files("bec_core").joinpath("schema.sql").read_text(encoding="utf-8")


def apply(connection: Connection) -> None:
    """Bring the database to this version's schema; running it again changes nothing."""
    text = schema_sql()
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    connection.execute(text.encode())
    connection.execute(
        "INSERT INTO schema_state (sha256) VALUES (%s) ON CONFLICT (singleton) DO UPDATE"
        " SET sha256 = excluded.sha256, applied_at = now()",
        (hashlib.sha256(text.encode()).hexdigest(),),
    )


def is_current(connection: Connection) -> bool:
    """Whether exactly this schema was applied last."""
    if not _present(connection):
        return False
    row = connection.execute("SELECT sha256 FROM schema_state").fetchone()
    return bool(row and row[0] == hashlib.sha256(schema_sql().encode()).hexdigest())


def ensure(connection: Connection) -> None:
    """Apply the schema unless exactly this one was applied last."""
    if not is_current(connection):
        apply(connection)


def require(connection: Connection) -> None:
    """Refuse a database without BEC's schema.

    Raises:
        DatabaseUnavailable: saying how to create it.
    """
    if not _present(connection):
        raise DatabaseUnavailable("the database has no (or an older) BEC schema; run: bec db init")


def _present(connection: Connection) -> bool:
    row = connection.execute("SELECT to_regclass('schema_state') IS NOT NULL").fetchone()
    return bool(row and row[0])
