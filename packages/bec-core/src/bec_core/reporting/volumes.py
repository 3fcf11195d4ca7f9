"""Volumes and their pages as reports name and read them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from bec_core.job import ReportVolume
from bec_core.models import Page, Volume

_ERRORS = "-errors.jsonl"

Record = TypeVar("Record")


def volume_title(volume: Volume) -> str:
    """The volume as people name it."""
    work, book = volume.ref.w_id, volume.ref.i_id
    return work if work == book else f"{work} · {book}"  # folders of one's own may have one name only


def report_folders(volumes: Sequence[ReportVolume]) -> list[str]:
    """A folder's name per volume: its artifacts' basename, made safe, and numbered where it comes twice."""
    taken: set[str] = set()
    folders = []
    for volume in volumes:
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", volume.basename).lstrip(".") or "volume"
        name, number = safe, 1
        while name.lower() in taken:
            number += 1
            name = f"{safe}-{number}"
        taken.add(name.lower())
        folders.append(name)
    return folders


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
