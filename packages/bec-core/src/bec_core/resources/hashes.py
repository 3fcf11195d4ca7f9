"""The hash of a file, and of a folder: the SHA-256 of its files' names and hashes, as ``sha256sum`` would list them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


def file_sha256(path: Path) -> str:
    """The file's SHA-256 in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """The folder's hash; hidden files and folders are no part of it."""
    files = files_of(folder)
    return listing_sha256((path.relative_to(folder).as_posix(), file_sha256(path)) for path in files)


def listing_sha256(files: Iterable[tuple[str, str]]) -> str:
    """The hash of a folder whose files have these names and hashes."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def files_of(folder: Path) -> list[Path]:
    """The files in a folder and below it, without hidden ones."""
    found = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(here, name) for name in names if not name.startswith(".")]
    return sorted(found)


def is_hidden(name: str) -> bool:
    """Whether a file of this relative name is no part of its folder."""
    return any(part.startswith(".") for part in name.split("/"))
