"""Volumes and their pages as reports name and read them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import TypeVar

from bec_core.job import ReportVolume
from bec_core.models import Page, Volume, Work
from bec_core.reporting.side_by_side import side_by_side

_ERRORS = "-errors.jsonl"
_TIBETAN = re.compile("[\u0f00-\u0fff]")

Record = TypeVar("Record")
Row = TypeVar("Row")


def volume_title(volume: Volume) -> str:
    """The volume as people name it."""
    work, book = volume.ref.w_id, volume.ref.i_id
    return work if work == book else f"{work} · {book}"  # folders of one's own may have one name only


def work_html(work: Work) -> str:
    """A work's title and link for a report (HTML, an element of its own); empty where nothing is known."""
    parts = []
    if work.title is not None:
        language = ' lang="bo"' if _TIBETAN.search(work.title) else ""
        parts.append(f"<bdi{language}>{escape(work.title)}</bdi>")
    if work.link is not None:
        parts.append(f'<a href="{escape(work.link)}" target="_blank" rel="noreferrer">in the catalogue</a>')
    return f'<div class="work">{" ".join(parts)}</div>' if parts else ""


def report_parts(
    volumes: Iterable[ReportVolume], part: Callable[[ReportVolume, str], Row], *, at_once: int = 4
) -> list[Row]:
    """Let ``part`` write each volume's part of a report, several at a time; what it says of each, in their order.

    It is called with a volume and the name of its folder: the artifacts' basename, made safe, and numbered where it
    comes twice. A volume is let go when its part is written, so keep only what the list of volumes shows.
    """
    return list(side_by_side(lambda named: part(*named), _in_folders(volumes), at_once=at_once))


def _in_folders(volumes: Iterable[ReportVolume]) -> Iterator[tuple[ReportVolume, str]]:
    taken: set[str] = set()
    for volume in volumes:
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", volume.basename).lstrip(".") or "volume"
        name, number = safe, 1
        while name.lower() in taken:
            number += 1
            name = f"{safe}-{number}"
        taken.add(name.lower())
        yield volume, name


def records_of(
    pages: Sequence[Page], records: Sequence[Record], filename: Callable[[Record], str]
) -> list[Record | None]:
    """Each page's record, found by ``filename``; None where there is none.

    Records that stand in the pages' order are taken one by one, so that two of one name stay apart.
    """
    names = [filename(record) for record in records]
    if names == [page.filename for page in pages]:
        return list(records)
    by_name = dict(zip(names, records, strict=True))
    return [by_name.get(page.filename) for page in pages]


def error_messages(volume: ReportVolume) -> dict[str, str]:
    """The failed pages' whole messages by file name: a job's records may cut them short."""
    try:
        lines = volume.artifact(_ERRORS).decode("utf-8", "replace").splitlines()
    except Exception:  # noqa: BLE001 - an old or lost errors file costs only the ends of long messages
        return {}
    messages = {}
    for line in lines:
        try:
            entry = json.loads(line)
            messages[str(entry["img_filename"])] = str(entry["message"])
        except (ValueError, KeyError, TypeError):
            continue  # one bad line of the file says nothing about the others
    return messages
