"""``bec plugins``: the installed job types and sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import click

from bec_cli.common import json_option, note, print_json, settings_of
from bec_cli.completion import complete_job_type
from bec_cli.plugins_check import check
from bec_cli.plugins_new import new
from bec_cli.printing import say
from bec_cli.tables import print_table
from bec_core.job_config import ConfigField, config_fields
from bec_core.plugins import load_plugins
from bec_core.settings import setting_fields

if TYPE_CHECKING:
    from bec_core.job import JobType
    from bec_core.plugins import Plugins
    from bec_core.source import SourceType


@click.group()
def plugins() -> None:
    """The installed job types and sources, and new ones."""


plugins.add_command(new)
plugins.add_command(check)


@plugins.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the job types, sources and observers, their versions, and the fields of their configs; broken plugins too,
    with the reason.

    \b
    Example:
      bec plugins list
    """
    settings = settings_of(ctx, quiet=True)  # what is broken stands in the list, and need not be logged too
    found = load_plugins(strict=settings.strict_plugins)
    rows = [
        {
            "kind": "job type",
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
            "kind": "source",
            "name": source.name,
            "version": plugin.version,
            "distribution": plugin.distribution,
            "status": "ok",
            "reason": None,
            "summary": source.summary,
            "config": [],
        }
        for plugin in found.loaded
        for source in plugin.source_types
    ]
    rows += [
        {
            "kind": "observer",
            "name": observer.name,
            "version": plugin.version,
            "distribution": plugin.distribution,
            "status": "ok",
            "reason": None,
            "summary": observer.summary,
            "config": [],
        }
        for plugin in found.loaded
        for observer in plugin.observer_types
    ]
    rows += [
        {
            "kind": None,
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
    columns = ["Name", "Kind", "Version", "Distribution", "Status", "Summary", "Config"]
    print_table(None, columns, [_cells(row) for row in rows])


def _cells(row: Mapping[str, Any]) -> list[str]:
    """A row of the table; a broken plugin has its reason, in one line, where others have their summary."""
    said = row["summary"] if row["reason"] is None else " ".join(row["reason"].split())
    return [
        *(row[key] for key in ("name", "kind", "version", "distribution", "status")),
        said,
        ", ".join(row["config"]),
    ]


@plugins.command()
@click.argument("name", shell_complete=complete_job_type)
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show what a job type's config may hold: each field's type, default, what is allowed, what it means; of a source,
    what it takes, and its settings.

    \b
    Example:
      bec plugins show ldv1
    """
    settings = settings_of(ctx)
    found = load_plugins(strict=settings.strict_plugins)
    if name not in found.job_types and name in found.source_types:
        _show_source(found, found.source_types[name], as_json=as_json)
        return
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
                "resources": [attrs.asdict(one) for one in job_type.resources],
                "metrics": [attrs.asdict(one) for one in job_type.metrics],
                "settings": settings_rows(job_type),
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
    _print_resources(job_type)
    _print_settings(job_type)
    _print_metrics(job_type)


def _show_source(found: Plugins, source: SourceType, *, as_json: bool) -> None:
    plugin = next(plugin for plugin in found.loaded if source in plugin.source_types)
    if as_json:
        print_json(
            {
                "name": source.name,
                "version": plugin.version,
                "distribution": plugin.distribution,
                "summary": source.summary,
                "in_messages": source.in_messages,
                "endings": source.endings,
                "prefixes": source.prefixes,
                "settings": settings_rows(source),
            }
        )
        return
    say(f"the source {source.name}, of {plugin.distribution} {plugin.version}")
    say(source.summary)
    if taken := [*(f"files *{ending}" for ending in source.endings), *(f"{one}…" for one in source.prefixes)]:
        say(f"Takes: {', '.join(taken)}")
    say(f"May be named in messages: {'yes' if source.in_messages else 'no'}")
    _print_settings(source)


def _print_resources(job_type: JobType) -> None:
    if not job_type.resources:
        return
    rows = [
        (
            one.name,
            "folder" if one.folder else "file",
            "yes" if one.required else "no",
            ", ".join(way for way in (one.option, one.environment) if way) or None,
            one.doc,
        )
        for one in job_type.resources
    ]
    say()
    print_table("Resources", ["Name", "Kind", "Needed", "Also named by", "Meaning"], rows)
    note(
        'a resource is named by --resource NAME=PLACE or, in a job\'s config, {"resources": {"NAME": "PLACE"}};'
        " a place is a path, an s3:// or an https:// URL, with #sha256=…"
    )


def _print_settings(brought: JobType | SourceType) -> None:
    rows = [
        (one["variable"], one["type"], one["default"], one["allowed"] or "any", one["doc"])
        for one in settings_rows(brought)
    ]
    if rows:
        say()
        print_table("Settings", ["Variable", "Type", "Default", "Allowed", "Meaning"], rows)


def settings_rows(brought: JobType | SourceType) -> list[dict[str, Any]]:
    """A job type's or a source's own settings: each variable with its type, default, what is allowed, what it means."""
    rows = []
    for one in setting_fields(brought):
        kind = getattr(one.type, "__name__", None) or str(one.type)
        needed = one.default is attrs.NOTHING
        plain = isinstance(one.default, (str, int, float, bool))
        rows.append(
            {
                "variable": brought.variable(one.name),
                "type": str(one.type) if "|" in str(one.type) else kind,
                "default": "must be set" if needed else one.default if plain else None,
                "allowed": one.metadata.get("allowed", ""),
                "doc": one.metadata.get("doc", ""),
            }
        )
    return rows


def _print_metrics(job_type: JobType) -> None:
    rows = [
        (one.name, f"mean by {one.weight}" if one.weight else "sum", one.better, one.doc)
        for one in job_type.metrics
    ]
    if rows:
        say()
        print_table("Metrics", ["Name", "Over volumes", "Better", "Meaning"], rows)


def _default(one: ConfigField) -> str:
    if isinstance(one.default, bool) or one.default is None:
        return {True: "true", False: "false", None: "null"}[one.default]
    return str(one.default)


def _type(one: ConfigField) -> str:
    """The type in JSON's words."""
    words = {
        "bool": "true/false", "int": "integer", "float": "number", "str": "string", "None": "null",
        "dict[str, str]": "object of strings",
    }  # fmt: skip
    if one.type.startswith("Literal["):
        return "string"
    return " or ".join(words.get(part.strip(), part.strip()) for part in one.type.split("|"))
