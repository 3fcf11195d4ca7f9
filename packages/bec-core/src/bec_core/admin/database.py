"""Preparing the database."""

from __future__ import annotations

from attrs import frozen

from bec_core.db import open_database, schema
from bec_core.settings import Settings


@frozen
class Initialised:
    """Which database it is, for people, and whether it had exactly this version's schema already."""

    where: str
    was_current: bool


def initialise(settings: Settings, *, dry_run: bool = False) -> Initialised:
    """Bring the database to this version's schema, or (dry run) only look. The embedded one keeps itself up to date.

    Raises:
        DatabaseUnavailable: it can't be started or reached.
    """
    with open_database(settings, require_schema=False) as database, database.connection() as connection:
        was_current = schema.is_current(connection)
        if not dry_run:
            schema.apply(connection)
    local = f"embedded, in {settings.home}"
    return Initialised(
        local if settings.is_local else f"{settings.sql_host}/{settings.sql_database}", was_current
    )
