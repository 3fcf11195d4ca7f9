"""``bec db``: the database."""

from __future__ import annotations

import click

from bec_cli.common import settings_of
from bec_core.admin.database import initialise


@click.group()
def db() -> None:
    """The database."""


@db.command()
@click.option("--dry-run", is_flag=True, help="Only say whether the database needs it.")
@click.pass_context
def init(ctx: click.Context, dry_run: bool) -> None:
    """Create the tables, or bring those of an older version up to date. Running it again changes nothing.

    \b
    Example:
      bec db init
    """
    found = initialise(settings_of(ctx), dry_run=dry_run)
    if dry_run and not found.was_current:
        click.echo(f"Would create or update the tables of the database ({found.where})")
    else:
        click.echo(f"✓ The database ({found.where}) has this version's schema", err=True)
