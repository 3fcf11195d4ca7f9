"""Objects by URL: ``file:///dir`` and ``s3://bucket/prefix`` behind one small interface.

:func:`open_store` gives a :class:`Store`. All its methods block, may be called from any number of
threads, and take keys relative to the store's root. What goes wrong is an
:class:`~bec_core.errors.ObjectNotFound`, :class:`~bec_core.errors.ObjectChanged`,
:class:`ObjectTooLarge`, :class:`InvalidKey` or :class:`~bec_core.errors.StorageError`.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from bec_core.errors import SettingsError
from bec_core.storage.base import (
    Body,
    FileBody,
    InvalidKey,
    ObjectInfo,
    ObjectTooLarge,
    Store,
    StoredObject,
    check_key,
)
from bec_core.storage.files import FileStore
from bec_core.storage.s3 import S3Options, S3Store

__all__ = [
    "Body",
    "FileBody",
    "FileStore",
    "InvalidKey",
    "ObjectInfo",
    "ObjectTooLarge",
    "S3Options",
    "S3Store",
    "Store",
    "StoredObject",
    "check_key",
    "folder_of_url",
    "open_store",
]


def folder_of_url(url: str) -> Path:
    """The absolute folder that a ``file://`` URL names.

    Raises:
        SettingsError: it is no ``file://`` URL of this machine with an absolute path.
    """
    parts = urlsplit(url)
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not path.startswith("/"):
        raise SettingsError(f"{url!r} is not the URL of a folder here: write file:///absolute/path")
    if parts.query or parts.fragment or "\x00" in path:
        raise SettingsError(f"{url!r}: write '?', '#' and '%' in a file:// URL as %3F, %23 and %25")
    return Path(path)


def open_store(url: str, *, s3: S3Options | None = None) -> Store:
    """Open the store at ``url``.

    Args:
        url: ``file:///dir`` (the directory is created when missing) or ``s3://bucket/prefix``.
        s3: region, endpoint and patience for S3; default: what the AWS configuration says.

    Raises:
        SettingsError: the URL is of neither kind, or there are no credentials for S3.
        StorageError: the directory can't be created.
    """
    scheme = url.partition("://")[0]
    if scheme == "file":
        return FileStore(folder_of_url(url))
    if scheme == "s3":
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not bucket or any(mark in bucket for mark in "?#@:\\ "):
            raise SettingsError(f"{url!r} names no bucket: write s3://bucket or s3://bucket/prefix")
        try:
            prefix = check_key(prefix.strip("/")) if prefix.strip("/") else ""
        except InvalidKey as error:
            raise SettingsError(f"{url!r} is not a place in S3: {error}") from None
        return S3Store(bucket, prefix, s3 or S3Options())
    raise SettingsError(f"{url!r} is not an object store's URL: write file:///dir or s3://bucket/prefix")
