"""What a report already holds: a volume whose artifacts did not change is not drawn again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs

from bec_ocrv1.report.job_page import VolumeRow

_NAME = "volume.json"


def made_of(marker: Mapping[str, Any], texts: bytes) -> str:
    """What a volume's part of the report is made of: its marker, its texts, and this code."""
    digest = hashlib.sha256(_code().encode())
    digest.update(json.dumps(marker, sort_keys=True, default=str).encode())
    digest.update(hashlib.sha256(texts).digest())
    return digest.hexdigest()


def kept_row(folder: Path, ingredients: str) -> VolumeRow | None:
    """The row of a volume that is there already, made of the same; else None."""
    try:
        note = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        if note["made_of"] != ingredients or not (folder / "index.html").is_file():
            return None
        return VolumeRow(**note["row"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no note, or not one of ours: the volume is drawn


def keep_row(folder: Path, ingredients: str, row: VolumeRow) -> None:
    """Note that the volume's part is complete; to be called last."""
    note = {"made_of": ingredients, "row": attrs.asdict(row)}
    (folder / _NAME).write_text(json.dumps(note), encoding="utf-8")


@cache
def _code() -> str:
    """A hash of everything in this package: a changed report is made anew."""
    digest = hashlib.sha256()
    package = files("bec_ocrv1.report")
    parts = [*package.iterdir(), *(package / "assets").iterdir()]
    for part in sorted(parts, key=lambda part: part.name):
        if part.is_file() and not part.name.endswith(".pyc"):
            digest.update(part.read_bytes())
    return digest.hexdigest()
