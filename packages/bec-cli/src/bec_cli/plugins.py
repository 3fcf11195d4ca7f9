"""``bec plugins``: the installed job types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import click

from bec_cli.common import json_option, note, print_json, print_table, settings_of
from bec_cli.plugins_check import check
from bec_cli.plugins_new import new
from bec_cli.printing import say
from bec_core.job_config import ConfigField, config_fields
from bec_core.plugins import load_plugins


@click.group()
def plugins() -> None:
    """The installed job types, and new ones."""


plugins.add_command(new)
plugins.add_command(check)


@plugins.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the job types, their versions, and the fields of their configs; broken plugins too, with the reason.

    \b
    Example:
      bec plugins list
    """
    settings = settings_of(ctx, quiet=True)  # what is broken stands in the list, and need not be logged too
    found = load_plugins(strict=settings.strict_plugins)
    rows = [
        {
            "name": job_type.name,
            "version": job_type.version,
            "distribution": plugin.distribution,
            "status": "ok",
            "reason": None,
            "summary": job_type.summary,
            "config": [field.name for field in config_fields(job_type.config)],
        }
        for plugin in found.loaded
        for job_type in plugin.job_types
    ]
    rows += [
        {
            "name": broken.name,
            "version": broken.version,
            "distribution": broken.distribution,
            "status": "broken",
            "reason": broken.reason,
            "summary": "",
            "config": [],
        }
        for broken in found.broken
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["Name", "Version", "Distribution", "Status", "Summary", "Config"]
    print_table(None, columns, [_cells(row) for row in rows])


def _cells(row: Mapping[str, Any]) -> list[str]:
    """A row of the table; a broken plugin has its reason, in one line, where others have their summary."""
    said = row["summary"] if row["reason"] is None else " ".join(row["reason"].split())
    return [
        *(row[key] for key in ("name", "version", "distribution", "status")),
        said,
        ", ".join(row["config"]),
    ]


@plugins.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show what a job type's config may hold: each field's type, default, what is allowed, what it means.

    \b
    Example:
      bec plugins show ldv1
    """
    settings = settings_of(ctx)
    found = load_plugins(strict=settings.strict_plugins)
    job_type = found.job_type(name)
    source = next(plugin for plugin in found.loaded if job_type in plugin.job_types)
    fields = config_fields(job_type.config)
    if as_json:
        print_json(
            {
                "name": job_type.name,
                "version": job_type.version,
                "distribution": source.distribution,
                "summary": job_type.summary,
                "family": job_type.family,
                "inputs": [attrs.asdict(one) for one in job_type.inputs],
                "config": [attrs.asdict(one) for one in fields],
            }
        )
        return
    say(f"{job_type.name} {job_type.version}, of {source.distribution} {source.version}")
    say(job_type.summary)
    if job_type.family:
        say(f"Family: {job_type.family}")
    for one in job_type.inputs:
        say(
            f"Input {one.name}: a job of {one.wanted}; reads {', '.join(one.artifacts) or 'what it asks for'}"
        )
    rows = [(one.name, _type(one), _default(one), one.allowed or "any", one.doc) for one in fields]
    print_table(None, ["Field", "Type", "Default", "Allowed", "Meaning"], rows)
    note("a job's config is a JSON object of these fields; what it leaves out has its default")


def _default(one: ConfigField) -> str:
    if isinstance(one.default, bool) or one.default is None:
        return {True: "true", False: "false", None: "null"}[one.default]
    return str(one.default)


def _type(one: ConfigField) -> str:
    """The type in JSON's words."""
    words = {"bool": "true/false", "int": "integer", "float": "number", "str": "string", "None": "null"}
    if one.type.startswith("Literal["):
        return "string"
    return " or ".join(words.get(part.strip(), part.strip()) for part in one.type.split("|"))
