"""The files of a new plugin, as templates: what the plugin guide shows is what ``bec plugins new`` writes.

A template ``NAME.in`` is the file with ``@name@`` (and the like) for the plugin's name, and with lines ``#if WORD`` …
``#end`` around what only some plugins have. ``pages`` is a job that reads pages, ``lines`` one that reads ldv1's lines.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import resources
from importlib.resources.abc import Traversable

from attrs import frozen

_CONDITION = re.compile(r"\s*#if (not )?(\w+)\s*")
_END = re.compile(r"\s*#end\s*")
_WORD = re.compile(r"@(\w+)@")


@frozen
class PluginName:
    """A plugin's name in all the ways that its files need it.

    Attributes:
        name: as operators type it (``line-count``).
    """

    name: str

    @property
    def module(self) -> str:
        """The package's import name."""
        return f"bec_{self.identifier}"

    @property
    def distribution(self) -> str:
        """The name for pip, and of the folder."""
        return f"bec-{self.name.replace('_', '-')}"

    @property
    def identifier(self) -> str:
        """As part of a Python name."""
        return self.name.replace("-", "_")

    @property
    def words(self) -> dict[str, str]:
        """What the templates call them."""
        return {
            "name": self.name,
            "ident": self.identifier,
            "module": self.module,
            "dist": self.distribution,
            "Name": "".join(part[:1].upper() + part[1:] for part in self.identifier.split("_")),
            "NAME": self.identifier.upper(),
        }


def render(kind: str, name: PluginName, parts: Collection[str]) -> dict[str, str]:
    """The files of a plugin by their path in it.

    Args:
        kind: which templates: ``pages`` or ``lines``.
        name: the plugin's.
        parts: what it has, of the words of the templates' conditions (``report`` …).
    """
    rendered = {}
    for path, text in sorted(_templates(resources.files(__name__) / kind, "")):
        chosen = _choose(text, parts)
        if (
            chosen.strip() or not text.strip()
        ):  # a file that is nothing but a part that is left out is left out
            rendered[_fill(path, name)] = _fill(chosen, name)
    return rendered


def _templates(folder: Traversable, path: str) -> list[tuple[str, str]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _templates(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(".in"):
            found.append((path + entry.name.removesuffix(".in"), entry.read_text(encoding="utf-8")))
    return found


def _choose(text: str, parts: Collection[str]) -> str:
    """The text without what stands between a condition that does not hold and its end."""
    lines: list[str] = []
    taken = [True]
    for line in text.splitlines(keepends=True):
        if condition := _CONDITION.fullmatch(line):
            taken.append(taken[-1] and (condition[2] in parts) is not bool(condition[1]))
        elif _END.fullmatch(line):
            taken.pop()
        elif taken[-1]:
            lines.append(line)
    return "".join(lines)


def _fill(text: str, name: PluginName) -> str:
    return _WORD.sub(lambda found: name.words[found[1]], text)
