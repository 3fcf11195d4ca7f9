"""Where a resource is, as a person writes it: a path, an ``s3://`` or an ``https://`` URL, each with ``#sha256=…``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import unquote_to_bytes, urlsplit

from attrs import frozen

from bec_core.errors import SettingsError

_MARK = "#sha256="
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@frozen
class ResourcePlace:
    """A place, read: ``location`` is a path, or a URL without its hash.

    ``sha256`` is what must be found there; None: whatever is.
    """

    kind: Literal["path", "s3", "https"]
    location: str
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The last part of it: how the file or folder is called."""
        path = self.location if self.kind == "path" else urlsplit(self.location).path
        return path.rstrip("/").rpartition("/")[2] or "resource"

    @property
    def path(self) -> Path:
        """The path, of a place that is one."""
        return Path(self.location)


def parse_place(text: str, *, absolute: bool = False) -> ResourcePlace:
    """Read a place.

    Args:
        text: as the person wrote it.
        absolute: a path must be absolute: the place is for other machines too.

    Raises:
        SettingsError: it is none; the message says what to write.
    """
    location, mark, digest = text.strip().rpartition(_MARK)
    if not mark:
        location, digest = digest, ""
    sha256 = digest.lower() or None
    if mark and not re.fullmatch(r"[0-9a-f]{64}", digest.lower()):
        raise SettingsError(f"{text!r}: a SHA-256 has 64 hex digits: write …{_MARK}ab12…")
    if not location:
        raise SettingsError("a resource's place is empty: write a path, or an s3:// or https:// URL")
    if not (scheme := _SCHEME.match(location)):
        return _path(location, sha256, absolute)
    parts = urlsplit(location)
    if parts.username or parts.password:
        raise SettingsError(
            f"a resource's URL is shown and kept, so it can't hold a password: {parts.hostname}"
        )
    match scheme[0].lower():
        case "file://":
            if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
                raise SettingsError(f"{location!r} is no file of this machine: write file:///absolute/path")
            return _path(os.fsdecode(unquote_to_bytes(parts.path)), sha256, absolute)
        case "s3://":
            if not parts.netloc or not parts.path.strip("/") or parts.query or parts.fragment:
                raise SettingsError(f"{location!r} names no object: write s3://bucket/key")
            return ResourcePlace("s3", location.rstrip("/"), sha256)
        case "https://":
            if not parts.hostname or parts.fragment:
                raise SettingsError(f"{location!r} names no file: write https://host/path{_MARK}…")
            if sha256 is None:
                raise SettingsError(f"{location}: say what must come from there: {location}{_MARK}…")
            return ResourcePlace("https", location, sha256)
    raise SettingsError(f"{location!r}: a resource is a path, or an s3:// or https:// URL")


def _path(text: str, sha256: str | None, absolute: bool) -> ResourcePlace:
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # "~nobody" is not known here
        raise SettingsError(f"{text!r}: {error}") from None
    if absolute and not path.is_absolute():
        raise SettingsError(f"{text!r} is not an absolute path: workers start in any folder")
    if "\x00" in text:
        raise SettingsError(f"{text!r} is no path")
    return ResourcePlace("path", os.path.abspath(path), sha256)  # noqa: PTH100 - absolute() would keep '..'
