"""The migrations that this code carries, read from their files."""

from __future__ import annotations

import re
from collections.abc import Set
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from attrs import frozen

_NAME = re.compile(r"(\d{4})_(\w+)\.(before|after)\.sql")
_HEAD = re.compile(
    r"-- (?P<sentence>[^\n]+)\n--\n-- phase: (?P<phase>\w+)\n-- oldest code: (?P<oldest_code>\d+)\n"
    r"-- runs: (?P<runs>[^\n]+)\n"
)
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?IF NOT EXISTS (\w+)")


class Phase(StrEnum):
    """When a migration is applied: before the new code is installed, or after the last of the old code has ended."""

    BEFORE = "before"
    AFTER = "after"


class Runs(StrEnum):
    """How a migration is run."""

    TOGETHER = "in one transaction"
    OUTSIDE = "outside a transaction"
    """One statement that no transaction may hold: CREATE INDEX CONCURRENTLY."""
    BATCHES = "in batches"
    """One statement, repeated: it starts after row ``%(after)s`` and answers where it came to, NULL at the end."""


@frozen
class Migration:
    """A migration: its number, name and sentence, when and how it runs, the oldest code that can work beside it."""

    version: int
    name: str
    sentence: str
    phase: Phase
    oldest_code: int
    runs: Runs
    sql: str

    @property
    def label(self) -> str:
        """Number and name, as in the file's name."""
        return f"{self.version:04d}_{self.name}"

    @property
    def tables(self) -> list[str]:
        """The tables that it creates."""
        return _TABLE.findall(self.sql)

    @property
    def indexes(self) -> list[str]:
        """The indexes that it creates."""
        return _INDEX.findall(self.sql)


def parse(file_name: str, text: str) -> Migration:
    """A migration from its file.

    Raises:
        ValueError: the name or the head is not as it must be.
    """
    name, head = _NAME.fullmatch(file_name), _HEAD.match(text)
    if name is None or head is None or name[3] != head["phase"]:
        raise ValueError(
            f"{file_name}: its name, or its head (sentence, phase, oldest code, runs), is no migration's"
        )
    return Migration(
        version=int(name[1]),
        name=name[2],
        sentence=head["sentence"],
        phase=Phase(head["phase"]),
        oldest_code=int(head["oldest_code"]),
        runs=Runs(head["runs"]),
        sql=text,
    )


@cache
def carried() -> tuple[Migration, ...]:
    """Every migration of this code, by number."""
    found = [
        parse(entry.name, entry.read_text(encoding="utf-8"))
        for entry in _folder().iterdir()
        if _NAME.fullmatch(entry.name)
    ]
    return tuple(sorted(found, key=lambda migration: migration.version))


def tracking_sql() -> str:
    """The table that says which migrations a database has."""
    return _folder().joinpath("schema_migrations.sql").read_text(encoding="utf-8")


def level() -> int:
    """The level of this code: the number of its newest migration."""
    return carried()[-1].version


def needs() -> Set[int]:
    """The migrations without which this code can't work: all *before* ones but those that only build an index."""
    return {m.version for m in carried() if m.phase is Phase.BEFORE and m.runs is not Runs.OUTSIDE}


def _folder() -> Traversable:
    return files("bec_core.db.migrations")
