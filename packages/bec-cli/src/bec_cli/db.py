"""``bec db``: the database."""

from __future__ import annotations

import click

from bec_cli.common import settings_of
from bec_core.db import open_database, schema


@click.group()
def db() -> None:
    """The database."""


@db.command()
@click.pass_context
def init(ctx: click.Context) -> None:
    """Create the tables, or bring those of an older version up to date. Running it again changes nothing.

    \b
    Example:
      bec db init
    """
    settings = settings_of(ctx)
    with open_database(settings, require_schema=False) as database, database.connection() as connection:
        schema.apply(connection)
    where = (
        f"{settings.sql_host}/{settings.sql_database}"
        if settings.sql_host
        else f"embedded, in {settings.home}"
    )
    click.echo(f"✓ The database ({where}) has this version's schema", err=True)
