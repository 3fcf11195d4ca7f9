"""``bec db``: the database."""

from __future__ import annotations

import click

from bec_cli.common import settings_of
from bec_core.admin.database import initialise


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
    where = initialise(settings_of(ctx))
    click.echo(f"✓ The database ({where}) has this version's schema", err=True)
