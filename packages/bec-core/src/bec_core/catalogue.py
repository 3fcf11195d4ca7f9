"""A catalogue of works: titles from a CSV file, links from it or from a pattern. What it says is data, never markup."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from attrs import field, frozen

from bec_core.errors import SettingsError
from bec_core.models import Work
from bec_core.text import readable, shown_line

_MOST = 500  # characters of a title
_SHOWN = 5


@frozen
class Catalogue:
    """The works by their W_IDs, and the pattern of the links of those that have none of their own."""

    works: Mapping[str, Work] = field(factory=dict, repr=False)
    pattern: str | None = None

    def __bool__(self) -> bool:
        return bool(self.works or self.pattern)

    def of(self, w_id: str) -> Work:
        """What is known of a work; ``w_id`` may have its source before it, and then it has no link by the pattern."""
        source, _, own = w_id.rpartition(":")
        found = self.works.get(own, Work())
        if found.link is None and self.pattern is not None and not source:
            return Work(found.title, self.pattern.replace("{work}", quote(own, safe="")))
        return found

    def titled(self, text: str) -> list[str]:
        """The W_IDs of the works whose titles hold ``text``, upper and lower case alike."""
        sought = text.casefold()
        return [w_id for w_id, work in self.works.items() if work.title and sought in work.title.casefold()]


def open_catalogue() -> Catalogue:
    """The catalogue that the environment names, or a ``.env`` in the folder where the command runs.

    Raises:
        SettingsError: a setting is bad, or the catalogue is (see :func:`load_catalogue`).
    """
    from bec_core.settings import load_settings

    settings = load_settings(found=Path(".env"))
    return load_catalogue(settings.catalogue, settings.catalogue_link)


def load_catalogue(file: Path | None, pattern: str | None) -> Catalogue:
    """The catalogue of ``BEC_CATALOGUE`` and ``BEC_CATALOGUE_LINK``; an empty one where neither is set.

    Raises:
        SettingsError: the file can't be read, naming bad lines; or the pattern is none.
    """
    if pattern is not None:
        check_link(pattern, "BEC_CATALOGUE_LINK")
        if "{work}" not in pattern:
            raise SettingsError(
                f"BEC_CATALOGUE_LINK={pattern!r}: it has no {{work}} where the W_ID is to stand"
            )
    return Catalogue({} if file is None else _read(file), pattern)


def _read(file: Path) -> dict[str, Work]:
    works: dict[str, Work] = {}
    bad: list[str] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in _rows(csv.reader(lines), file):
                try:
                    works[row["work"]] = _work(row)
                except SettingsError as error:
                    bad.append(f"line {number}: {error}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"BEC_CATALOGUE={readable(str(file))}: it can't be read: {error}") from error
    if bad:
        more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise SettingsError(f"BEC_CATALOGUE={file}: " + "; ".join(bad[:_SHOWN]) + more)
    return works


def _rows(reader: Iterator[list[str]], file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows with their numbers (from 1, as people count), by the columns' names; empty ones are left out."""
    names = [name.strip().lower() for name in next(reader, [])]
    if not {"work", "title"} <= set(names):
        raise SettingsError(
            f"BEC_CATALOGUE={file}: its first line must name the columns: work,title or work,title,link"
        )
    for number, row in enumerate(reader, 2):
        if any(cell.strip() for cell in row):
            yield number, {name: cell.strip() for name, cell in zip(names, row, strict=False)}


def _work(row: Mapping[str, str]) -> Work:
    if not row.get("work"):
        raise SettingsError("it names no work")
    title, link = shown_line(row.get("title", "")), row.get("link", "")
    if link:
        check_link(link, "its link")
    return Work(title[:_MOST] or None, link or None)


def check_link(link: str, what: str) -> None:
    """Refuse what a browser would not fetch but run, and what hides where it leads."""
    try:
        parts = urlsplit(link)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        good = False
    if not good or shown_line(link) != link or any(sign in link for sign in " \"'<>\\"):
        raise SettingsError(f"{what} {link[:200]!r} is no http or https URL")
