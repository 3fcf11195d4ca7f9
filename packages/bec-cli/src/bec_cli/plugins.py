"""``bec plugins``: the installed job types."""

from __future__ import annotations

import click

from bec_cli.common import out, print_json, settings_of, table
from bec_core.job_config import config_fields
from bec_core.plugins import load_plugins


@click.group()
def plugins() -> None:
    """The installed job types."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON for programs.")
@click.pass_context
def list_plugins(ctx: click.Context, as_json: bool) -> None:
    """List the job types, their versions, and the fields of their configs."""
    settings = settings_of(ctx)
    found = load_plugins(strict=settings.strict_plugins)
    rows = [
        {
            "name": job_type.name,
            "version": job_type.version,
            "distribution": plugin.distribution,
            "summary": job_type.summary,
            "config": [field.name for field in config_fields(job_type.config)],
        }
        for plugin in found.loaded
        for job_type in plugin.job_types
    ]
    if as_json:
        print_json(rows)
        return
    out().print(
        table(
            None,
            ["Name", "Version", "Distribution", "Summary", "Config"],
            [
                (r["name"], r["version"], r["distribution"], r["summary"], ", ".join(r["config"]))
                for r in rows
            ],
        )
    )
