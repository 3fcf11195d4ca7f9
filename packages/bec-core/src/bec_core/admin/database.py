"""Preparing the database."""

from __future__ import annotations

from bec_core.db import open_database, schema
from bec_core.settings import Settings


def initialise(settings: Settings) -> str:
    """Bring the database to this version's schema; returns which database that is, for people.

    Raises:
        DatabaseUnavailable: it can't be started or reached.
    """
    with open_database(settings, require_schema=False) as database, database.connection() as connection:
        schema.apply(connection)
    if settings.sql_host:
        return f"{settings.sql_host}/{settings.sql_database}"
    return f"embedded, in {settings.home}"
