"""The documentation says all that there is, and shows no command that there is not."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator

import attrs
import click
import pytest

import bec_core
from bec_cli.exits import Exit
from bec_cli.main import cli
from bec_core import hookspecs, logs
from bec_core.db.migrations import carried
from bec_core.job_config import config_fields
from bec_core.models import MESSAGE_KEYS, PageFailure
from bec_core.observer import OUTCOMES, Step, WorkerObserver
from bec_core.observers.catalog import CATALOG
from bec_core.plugins import load_plugins
from bec_core.settings import Settings, core_fields, setting_fields
from bec_core.testing.checksum_job import CHECKSUM
from bec_core.testing.local import LocalTask, local_worker, write_pages
from bec_ldv1.page.flags import Flag
from bec_ldv1.record import details
from bec_ldv1.record.contract import SCHEMA
from support.places import ROOT

DOCS = ROOT / "docs"
REFERENCE = (DOCS / "reference.md").read_text()
GUIDE = (DOCS / "plugin-guide.md").read_text()
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "packages/**/*.md", "samples/*.md", "training/*.md", "systemd/*.md")
    for path in ROOT.glob(pattern)
)  # fmt: skip


def _commands(command: click.Command, path: str = "bec") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with the words that call it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            try:
                found = command.get_command(context, name)
            except click.UsageError as error:  # a plugin that brings a source alone, say
                assert "has no commands of its own" in error.message  # noqa: PT017
                continue
            assert found is not None
            yield from _commands(found, f"{path} {name}")
    else:
        yield path, command


COMMANDS = dict(_commands(cli))


def _section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its level."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading {heading!r}"
    return found[2]


def _missing(names: object, text: str) -> list[str]:
    return [str(name) for name in names if f"`{name}`" not in text]


# -- the reference is complete ------------------------------------------------------------------------------


SETTINGS = [setting for setting in attrs.fields(Settings) if setting.name in core_fields()]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented(setting):
    names = ", ".join(f"`{name}`" for name in setting.metadata["env"])
    row = f"| {names} | {setting.metadata['doc']} |"
    assert row in REFERENCE
    if setting.default not in (None, False) and not isinstance(setting.default, attrs.Factory):
        assert f"{row} `{setting.default}` |" in REFERENCE


OF_OBSERVERS = {
    observer.variable(one.name): one
    for observer in load_plugins().observer_types.values()
    for one in setting_fields(observer)
}
OF_SOURCES = {
    source.variable(one.name): one
    for source in load_plugins().source_types.values()
    for one in setting_fields(source)
}


def test_no_setting_is_documented_that_is_gone():
    known = {name for setting in SETTINGS for name in setting.metadata["env"]}
    known |= {one.environment for job in load_plugins().job_types.values() for one in job.resources}
    known |= set(OF_SOURCES) | set(OF_OBSERVERS)
    assert set(re.findall(r"`(BEC_\w+|AWS_\w+)`", REFERENCE)) <= known


@pytest.mark.parametrize("variable", [*OF_SOURCES, *OF_OBSERVERS])
def test_every_setting_of_a_source_or_an_observer_is_documented(variable):
    setting = {**OF_SOURCES, **OF_OBSERVERS}[variable]
    assert f"\n| `{variable}` | {setting.metadata['doc']} |" in REFERENCE


def test_every_event_and_every_outcome_is_documented():
    section = _section(REFERENCE, "Events and metrics")
    events = inspect.getmembers(WorkerObserver, lambda one: inspect.isfunction(one) and one.__doc__)
    for name, event in events:
        arguments = ", ".join(list(inspect.signature(event).parameters)[1:])
        assert f"\n| `{name}({arguments})` | " in section
    assert len(re.findall(r"^\| `\w+\(", section, re.MULTILINE)) == len(events)
    assert _missing([*Step, *OUTCOMES], section) == []


def test_every_metric_is_documented_and_no_other():
    section = _section(REFERENCE, "Events and metrics")
    rows = [
        f"| `{metric.prometheus}` | {metric.kind.value} | {', '.join(f'`{one}`' for one in ('job', *metric.labels))} |"
        f" {', '.join(f'`{name}`' for name, _ in metric.emf)} | {metric.doc} |"
        for metric in CATALOG
    ]
    assert re.findall(r"^\| `bec_\w+` .*$", section, re.MULTILINE) == rows


def test_every_hook_is_documented():
    hooks = [name for name, value in vars(hookspecs).items() if hasattr(value, "bec_spec")]
    assert hooks
    for name in hooks:
        arguments = ", ".join(inspect.signature(getattr(hookspecs, name)).parameters)
        assert f"| `{name}({arguments})` |" in REFERENCE
        assert f"| `{name}({arguments})` |" in GUIDE
    assert set(re.findall(r"^\| `(bec_\w+)\(", REFERENCE, re.MULTILINE)) == set(hooks)


@pytest.mark.parametrize("status", Exit, ids=lambda status: status.name)
def test_every_exit_status_is_documented(status):
    assert f"\n| {status.value} | `{status.name}` | " in _section(REFERENCE, "Exit statuses")


def test_every_command_is_documented():
    assert _missing(COMMANDS, _section(REFERENCE, "Commands")) == []


def test_every_config_field_is_documented():
    section = _section(REFERENCE, "A job's config")
    words = {None: "null", True: "true", False: "false"}
    for field in config_fields(load_plugins().job_type("ldv1").config):
        default = words[field.default] if field.default in (None, True, False) else field.default
        assert f"| `{field.name}` | `{default}` | {field.allowed or 'any'} | {field.doc} |" in section


def test_every_resource_is_documented():
    section = _section(REFERENCE, "Resources")
    for resource in load_plugins().job_type("ldv1").resources:
        ways = f"`{resource.option}`, `{resource.environment}`"
        assert f"| `ldv1` | `{resource.name}` | {ways} | {resource.doc} |" in section


def test_every_marker_key_is_documented(tmp_path):
    with local_worker(CHECKSUM) as worker:
        outcome = LocalTask(CHECKSUM, write_pages(tmp_path / "pages", {"1.jpg": b"1"})).run(worker)
    section = _section(REFERENCE, "The marker")
    assert _missing(outcome.marker, section) == []
    assert _missing(outcome.marker["artifacts"][0], section) == []


def test_every_column_is_documented():
    section = _section(REFERENCE, "The Parquet file of ldv1")
    assert _missing([*SCHEMA.names, *(column.name for column in details.COLUMNS)], section) == []
    assert _missing(Flag, section) == []


def test_every_key_of_messages_errors_and_log_lines_is_documented():
    assert _missing(MESSAGE_KEYS, _section(REFERENCE, "The queue message")) == []
    keys = [field.name for field in attrs.fields(PageFailure)]
    assert _missing(keys, _section(REFERENCE, "Failed pages")) == []
    assert (
        _missing([*logs.CONTEXT, "time", "level", "message", "exception"], _section(REFERENCE, "The log"))
        == []
    )


def test_every_table_is_documented():
    tables = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", (ROOT / "schema.sql").read_text())
    assert _missing(tables, _section(REFERENCE, "The database")) == []


def test_every_migration_is_documented():
    section = _section(REFERENCE, "The database")
    rows = [f"| `{m.label}` | {m.phase} | {m.sentence} |" for m in carried()]
    assert [row for row in rows if row not in section] == []


# -- what it says is there ----------------------------------------------------------------------------------


def _calls(text: str) -> Iterator[list[str]]:
    """The calls of ``bec`` in the shell blocks of a page, as words."""
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        if language not in ("", "bash", "sh", "console"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            for call in re.findall(r"(?:^|[|;&$] *)(?:\S*/)?bec ([^|;&#<>]*)", line.strip()):
                try:
                    yield shlex.split(call)
                except ValueError:  # no shell line after all
                    continue


def _unknown(words: list[str]) -> str | None:
    """What ``bec`` would not understand in a call; None if it would."""
    command: click.Command = cli
    options = _options(cli)
    takes_value = False
    for word in words:
        if takes_value:
            takes_value = False
        elif word.startswith("-") and word != "-":
            name, _, value = word.partition("=")
            if name not in options:
                return f"the option {name}"
            takes_value = options[name] and not value
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return f"the command {word}"
            command, options = found, _options(found)
    return None


def _options(command: click.Command) -> dict[str, bool]:
    """A command's options, and whether each takes a value."""
    known = {"--help": False, "-h": False}
    for parameter in command.get_params(click.Context(command)):
        if isinstance(parameter, click.Option):
            takes_value = not parameter.is_flag and not parameter.count
            known.update(dict.fromkeys((*parameter.opts, *parameter.secondary_opts), takes_value))
    return known


def test_the_examples_of_the_help_exist():
    shown = {
        line.strip()
        for command in COMMANDS.values()
        for line in (command.help or "").splitlines()
        if re.match(r"\s+(\S.* \| )?bec [a-z]", line)
    }
    assert len(shown) > len(COMMANDS) / 2
    calls = _calls("```\n" + "\n".join(shown) + "\n```")
    assert [problem for words in calls if (problem := _unknown(words))] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_commands_that_a_page_shows_exist(page):
    wrong = [
        f"bec {' '.join(words)}: {what}"
        for words in _calls((ROOT / page).read_text())
        if words
        and words[0] not in ("blanks",)
        and (what := _unknown(words))  # blanks: the guide's own plugin
    ]
    assert wrong == []


def test_the_guide_names_all_that_a_job_may_use():
    assert [name for name in bec_core.__all__ if not re.search(rf"\b{name}\b", GUIDE)] == []


def test_the_drop_in_of_the_guide_replaces_what_the_unit_says():
    (drop_in,) = re.findall(r"^```ini\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    unit = (ROOT / "systemd" / "bec-worker@.service").read_text()
    (said,) = [line for line in unit.splitlines() if "/opt/bec/" in line]
    assert drop_in.splitlines() == ["[Service]", "ExecStart=", said.replace("/opt/bec/", "/opt/bec-marks/")]
