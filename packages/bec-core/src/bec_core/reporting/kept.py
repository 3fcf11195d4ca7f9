"""What a report already holds: a volume whose artifacts did not change is not drawn again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from attrs import asdict

from bec_core.job import ReportVolume

_NAME = "volume.json"

Row = TypeVar("Row")


def made_of(package: str, volume: ReportVolume, records: bytes) -> str:
    """What a volume's part of a report is made of: marker, title and links, records, and the code that draws it.

    Args:
        package: the import path of the report's package, with its templates in ``assets``.
        volume: whose part it is.
        records: the artifact that is drawn.
    """
    digest = hashlib.sha256(_code(package).encode())
    said = [dict(volume.marker), asdict(volume.work), volume.served_at]
    digest.update(json.dumps(said, sort_keys=True, default=str).encode())
    digest.update(hashlib.sha256(records).digest())
    return digest.hexdigest()


def kept_row(folder: Path, ingredients: str, row_of: Callable[[dict[str, Any]], Row]) -> Row | None:
    """What `keep_row` noted of a volume that is there already, made of the same; else None.

    ``row_of`` makes a row of what was noted; its ValueError, KeyError or TypeError says that it is none.
    """
    try:
        note = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        if note["made_of"] != ingredients or not (folder / "index.html").is_file():
            return None
        return row_of(note["row"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no note, or not one of ours: the volume is drawn


def keep_row(folder: Path, ingredients: str, row: Mapping[str, Any]) -> None:
    """Note that the volume's part is complete; to be called last."""
    note = {"made_of": ingredients, "row": row}
    (folder / _NAME).write_text(json.dumps(note), encoding="utf-8")


@cache
def _code(package: str) -> str:
    """A hash of everything in a report's package: a changed report is made anew."""
    digest = hashlib.sha256()
    root = files(package)
    parts = [*root.iterdir(), *(root / "assets").iterdir()]
    for part in sorted(parts, key=lambda part: part.name):
        if part.is_file() and not part.name.endswith(".pyc"):
            digest.update(part.read_bytes())
    return digest.hexdigest()
