"""Files of ``NAME=value`` lines that settings are read from.

A file that the user names (``--env-file``, ``BEC_ENV_FILE``) may set everything. A ``.env`` that merely lies
in the current folder may come with somebody's scans, so it may set only what the guide sets there, and only
if nobody else could have written it.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import frozen
from dotenv.parser import parse_stream

from bec_core.errors import SettingsError
from bec_core.text import shown_line

_GUIDE = frozenset({"BEC_REGION", "BEC_DEST_S3_BUCKET"})
_GUIDE_PREFIX = "BEC_SQL_"
_LARGEST = 1 << 20
_MARKS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\xef\xbb\xbf": "UTF-8 with a byte order mark",
}


@frozen
class EnvFile:
    """What a file sets, and what is to be said of it."""

    path: Path
    values: Mapping[str, str]
    notes: tuple[str, ...] = ()


def named_file(path: Path) -> EnvFile:
    """A file that the user named: it may set everything.

    Raises:
        SettingsError: there is no such file, or it can't be read; broken lines are named by number.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    return EnvFile(path, _values(data, path))


def found_file(path: Path, names_a_resource: Callable[[str], bool] = lambda _: False) -> EnvFile | None:
    """The ``.env`` of the current folder; None if there is none.

    A file that others can write is left alone, and so is every name that the guide does not set there and that
    names no plugin's resource (``names_a_resource``); the notes say so.

    Raises:
        SettingsError: it can't be read; broken lines are named by number.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            return EnvFile(path, {}, (f"{path} is a link and not read: name it with --env-file {path}",))
        raise SettingsError(f"{path}: {error.strerror or error} (--env-file names another file)") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        if reason := _not_mine(status, path):
            return EnvFile(path, {}, (f"{path} is not read: {reason}; if you trust it: --env-file {path}",))
        data = file.read(_LARGEST + 1)
    values = _values(data, path)
    taken = {
        name: value
        for name, value in values.items()
        if _in_guide(name) or (name.startswith("BEC_") and names_a_resource(name))
    }
    notes = [f"settings from {path.absolute()}"] if taken else []
    if ignored := [shown_line(name) for name in values if name not in taken]:
        notes.append(
            f"{path}: ignored {', '.join(ignored)}: a file that is only found may set BEC_SQL_*, "
            f"{', '.join(sorted(_GUIDE))} and where plugins' resources are; for all others say"
            f" --env-file {path} or set BEC_ENV_FILE"
        )
    return EnvFile(path, taken, tuple(notes))


def _in_guide(name: str) -> bool:
    return name in _GUIDE or name.startswith(_GUIDE_PREFIX)


def _not_mine(status: os.stat_result, path: Path) -> str | None:
    """Why somebody else may have written the file; None if nobody could."""
    for what, found in (("it", status), ("its folder", path.absolute().parent.stat())):
        if found.st_uid not in (0, os.geteuid()):
            return f"{what} belongs to somebody else (user {found.st_uid})"
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"{what} can be written by others (chmod go-w)"
    return None


def _values(data: bytes, path: Path) -> dict[str, str]:
    if len(data) > _LARGEST:
        raise SettingsError(f"{path} is larger than {_LARGEST:,} bytes: that is no file of settings")
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            raise SettingsError(f"{path} is {encoding}: save it as plain UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}: not UTF-8 (Latin-1, perhaps): save it as UTF-8") from None
    if "\0" in text:
        raise SettingsError(f"{path} holds zero bytes (UTF-16, perhaps): save it as plain UTF-8")
    values: dict[str, str] = {}
    broken: list[int] = []
    for binding in parse_stream(io.StringIO(text)):
        # what stands in a broken line is not said: it may be a password
        if binding.error or (binding.key is not None and binding.value is None):
            before = binding.original.string
            broken.append(
                binding.original.line + len(before[: len(before) - len(before.lstrip())].splitlines())
            )
        elif binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    if broken:
        lines = f"line{'s' if len(broken) > 1 else ''} {', '.join(map(str, broken[:10]))}"
        raise SettingsError(f"{path}: {lines}: write NAME=value (quote values with spaces or #)")
    return values
