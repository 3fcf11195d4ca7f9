"""Just enough of a Dockerfile's syntax to look at what it says."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field


@dataclass
class Stage:
    """A stage: what it begins from, its name, and its instructions in order."""

    base: str
    name: str | None
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """What the instruction says each time."""
        return [text for word, text in self.steps if word == instruction]

    def copies(self) -> list[tuple[str | None, list[str]]]:
        """Each ``COPY``: the stage that it is from (None: the checkout), and its sources."""
        found = []
        for text in self.all("COPY"):
            words = shlex.split(text)
            start = next((w.partition("=")[2] for w in words if w.startswith("--from=")), None)
            found.append((start, [w for w in words if not w.startswith("--")][:-1]))
        return found


def parse(text: str) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage with their defaults, and the stages."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*(#|$)", line)]
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        word, _, rest = instruction.partition(" ")
        assert re.fullmatch("[A-Z]+", word), f"not an instruction: {instruction}"
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name or None))
        elif stages:
            stages[-1].steps.append((word, rest.strip()))
        else:
            assert word == "ARG", f"{word} before the first FROM"
            name, _, default = rest.partition("=")
            arguments[name] = default
    return arguments, stages
