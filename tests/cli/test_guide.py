"""The operators' guide is complete: every command, option, setting, exit status and audit finding is in it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import attrs
import click
import pytest

from bec_cli.exits import Exit
from bec_cli.main import COMMANDS, cli
from bec_core.admin.audit.findings import MEANING
from bec_core.settings import Settings
from support.places import ROOT

GUIDE = (ROOT / "docs" / "operators-guide.md").read_text(encoding="utf-8")
SECTIONS = {
    heading.split("`")[1]: body
    for heading, body in re.findall(r"^### (.*)\n((?:(?!^###? ).*\n?)*)", GUIDE, flags=re.MULTILINE)
    if heading.startswith("`bec ")
}


def leaves(command: click.Command, words: list[str]) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, sub in command.commands.items():
            yield from leaves(sub, [*words, name])
    else:
        yield " ".join(words), command


def commands() -> list[tuple[str, click.Command]]:
    found = []
    for name, (path, _) in COMMANDS.items():
        module, _, attribute = path.partition(":")
        found += list(leaves(getattr(importlib.import_module(module), attribute), ["bec", name]))
    return found


@pytest.mark.parametrize(
    ("words", "command"), commands(), ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_command_with_its_options_and_defaults(words: str, command: click.Command) -> None:
    section = next(
        (
            body
            for heading, body in SECTIONS.items()
            if heading.split(" ")[: len(words.split())] == words.split()
        ),
        None,
    )
    assert section is not None, f"{words} has no section in docs/operators-guide.md"
    context = click.Context(command)
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden and "--help" not in option.opts:
            rows = [
                line for line in section.splitlines() if line.startswith("|") and f"`{_shown(option)}" in line
            ]
            assert rows, f"{words} {option.opts[-1]} is not in docs/operators-guide.md"
            default = option.get_default(context)
            if (
                option.show_default
                and isinstance(default, (int, float, str))
                and not isinstance(default, bool)
            ):
                assert f"default: {default}" in rows[0], (
                    f"{words} {option.opts[-1]}: the default is {default}"
                )


def _shown(option: click.Option) -> str:
    return ", ".join(sorted(option.opts, key=len))


def test_no_section_tells_of_a_command_that_is_not_there() -> None:
    known = [words for words, _ in commands()]
    for heading in SECTIONS:
        assert any(heading == words or heading.startswith(f"{words} ") for words in known), heading


def test_global_options() -> None:
    for option in cli.params:
        assert f"`{option.opts[0]}" in GUIDE


def test_settings() -> None:
    for field in attrs.fields(Settings):
        for name in field.metadata.get("env", ()):
            assert f"`{name}`" in GUIDE


def test_exit_statuses() -> None:
    for status in Exit:
        assert f"\n| {status.value} | " in GUIDE


def test_audit_findings() -> None:
    for kind in MEANING:
        assert kind.value in GUIDE
