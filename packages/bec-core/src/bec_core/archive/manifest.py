"""Reading a volume's manifest: gzip-compressed JSON, a list of objects in reading order.

Nothing in a manifest is trusted: its size is bounded before it is unpacked and before it is parsed.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib

from loguru import logger

from bec_core.archive.paths import is_image_name
from bec_core.errors import ManifestInvalid
from bec_core.models import Page
from bec_core.storage.base import InvalidKey, check_key

MAX_STORED_BYTES = 32 * 1024 * 1024
"""The largest manifest that is read, as it is stored."""

MAX_UNPACKED_BYTES = 64 * 1024 * 1024
"""The largest manifest that is parsed (100,000 entries of some 100 bytes are 10 MB)."""

MAX_VALUES = 3_000_000
"""The most JSON values that are parsed: a bound on memory, which bytes alone are not."""


def parse_manifest(data: bytes) -> tuple[Page, ...]:
    """The pages that a manifest lists, in its order.

    Entries that lack a filename, are not images, or whose name holds a ``/`` (so also absolute names
    and ``../``) or could not be an object's name are not pages. Of several entries with one filename
    the first counts. A width or height that is no positive number is unknown; other keys are ignored.

    Args:
        data: the manifest as it is stored, with or without gzip.

    Raises:
        ManifestInvalid: saying what is wrong, and where.
    """
    entries = _parse(_unpack(data))
    if not isinstance(entries, list):
        raise ManifestInvalid(f"the manifest is {_kind(entries)}, not a list of objects")
    pages: list[Page] = []
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise ManifestInvalid(f"entry {number} of the manifest is {_kind(entry)}, not an object")
        name = entry.get("filename")
        if name is None:
            continue
        if not isinstance(name, str):
            raise ManifestInvalid(
                f"entry {number} of the manifest: the filename is {_kind(name)}, not a string"
            )
        if name in seen or not _is_page(name):
            if "/" not in name and is_image_name(name) and name not in seen:
                logger.warning(
                    "entry {} of the manifest is left out: no object can be named {!r}", number, name[:200]
                )
            continue
        seen.add(name)
        pages.append(Page(len(pages), name, _size(entry.get("width")), _size(entry.get("height"))))
    return tuple(pages)


def _unpack(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ManifestInvalid(f"the manifest's gzip data is broken: {error}") from None
    return unpacked


def _parse(data: bytes) -> object:
    if len(data) > MAX_UNPACKED_BYTES:
        raise ManifestInvalid(f"the manifest unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_VALUES:
        raise ManifestInvalid(f"the manifest holds more than {MAX_VALUES:,} values")
    try:
        return json.loads(data)
    except RecursionError:
        raise ManifestInvalid(
            "the manifest is not JSON of lists and objects: it is nested too deeply"
        ) from None
    except ValueError as error:  # also bad UTF-8
        raise ManifestInvalid(f"the manifest is not JSON: {str(error)[:200]}") from None


def _is_page(name: str) -> bool:
    if "/" in name or not is_image_name(name):
        return False
    try:
        check_key(name)
    except InvalidKey:
        return False
    return True


def _size(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**31:
        return None
    return int(value) or None


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
