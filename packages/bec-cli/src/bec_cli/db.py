"""``bec db``: the database."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import click

from bec_cli.common import count, dry_run_option, json_option, local_time, note, print_json, settings_of
from bec_cli.printing import say
from bec_cli.tables import Column, print_table
from bec_core.admin.database import SchemaStatus, Upgraded, schema_status, stop_server, upgrade_database


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
    _upgrade(ctx, None, dry_run)


@db.command()
@click.option(
    "--phase",
    type=click.Choice(["before", "after"]),
    help="before: while older workers still run. after: when none runs any more.  [default: before; of an empty "
    "database both]",
)
@dry_run_option
@click.pass_context
def upgrade(ctx: click.Context, phase: str | None, dry_run: bool) -> None:
    """Bring the database from an older version to this one, in two phases.

    What is for before the code harms no worker of the version before: apply it, then install the new version
    on the workers' machines, at leisure, then apply what is for after.

    \b
    Examples:
      bec db upgrade                  what is for before the code
      bec db upgrade --phase after    the rest, when no older worker runs
    """
    _upgrade(ctx, phase, dry_run)


def _upgrade(ctx: click.Context, phase: str | None, dry_run: bool) -> None:
    settings = settings_of(ctx)
    found = upgrade_database(settings, phase=phase, dry_run=dry_run, step=note, waiting=note)
    if dry_run and found.done:
        tables = "create the tables" if found.created else "update the tables"
        say(f"Would {tables} of the database ({found.where}): {', '.join(found.done)}")
    else:
        _say_done(found)
    if found.left:
        note(
            f"{count(len(found.left), 'migration')} for when no worker of an older version runs any more "
            f"({', '.join(found.left)}): bec db upgrade --phase after"
        )
    _say_grants(found.grants)


def _say_grants(grants: Sequence[str]) -> None:
    if grants:
        note(f"✗ Roles of workers may not use every table yet; as the owner: {'; '.join(grants)}")


def _say_done(found: Upgraded) -> None:
    what = "has all that this version needs" if found.left else "has this version's schema"
    note(f"✓ The database ({found.where}) {what}")


@db.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show which migrations the database has, whether this version can work with it, and the server if it is BEC's
    own. Changes nothing.

    \b
    Example:
      bec db status --json
    """
    found = schema_status(settings_of(ctx))
    if as_json:
        print_json(attrs.asdict(found))
        return
    columns: list[Column] = [("Version", "right"), "Name", "Phase", "State", "Applied", "By"]
    print_table(
        f"The database ({found.database})",
        columns,
        [(m.version, m.name, m.phase, m.state, local_time(m.applied_at), m.by) for m in found.migrations],
    )
    _say_what_next(found)
    if server := found.server:
        stays = (
            f"stays {server.idle_s:.0f} s for the next user" if server.idle_s else "stops with its last user"
        )
        note(f"its server runs since {local_time(server.since)} (process {server.pid}), and {stays}")


@db.command()
@click.pass_context
def stop(ctx: click.Context) -> None:
    """Stop the embedded PostgreSQL now, which may be kept up for the next command; it starts again by itself.

    
    Example:
      bec db stop
    """
    if stop_server(settings_of(ctx)):
        note("✓ The database's server was stopped")
    else:
        note("The database's server does not run")


def _say_what_next(found: SchemaStatus) -> None:
    for name in found.broken_indexes:
        note(f"✗ The index {name} was not built to its end and serves nobody: bec db upgrade")
    _say_grants(found.missing_grants)
    pending = {m.phase for m in found.migrations if m.state == "pending"}
    if found.unfit:
        note(f"✗ {found.unfit}")
    elif "before" in pending:
        note("✓ This version can work with it; what is pending makes it faster: bec db upgrade")
    elif "after" in pending:
        note(
            "✓ This version can work with it; when no older worker runs any more: bec db upgrade --phase after"
        )
    else:
        note("✓ This version can work with it")
