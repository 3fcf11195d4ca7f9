"""An image file on this machine: how many pages it has, and each page's bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path

from bec_core.archive.pages import MAX_PAGE_BYTES, fetching, listed_etags, read_object
from bec_core.archive.paths import page_name, split_page_name
from bec_core.archive.tiff import TiffError, page_directories, page_file
from bec_core.errors import PageError, StorageError
from bec_core.models import PageData
from bec_core.storage import FileStore

_TIFF = (".tif", ".tiff")
_REMEMBERED = 65_536  # files: a run asks for one volume's pages again and again


def pages_in_file(path: Path, status: os.stat_result) -> int:
    """How many pages a file has: of a TIFF as many as its directories say, else one. One that can't be read has one."""
    if not path.name.lower().endswith(_TIFF):
        return 1
    return max(1, len(_directories(path, status.st_ino, status.st_size, status.st_mtime_ns)))


def read_image(folder: Path, name: str) -> PageData:
    """A page's bytes by its name; of a file with several pages the page alone, as a file of its own.

    Raises:
        PageError: of stage ``fetch``.
    """
    file, number = split_page_name(name)
    store = FileStore(folder, create=False)
    if not file.lower().endswith(_TIFF):
        return read_object(store, file)
    with fetching():
        info = store.head(file)
    path = folder / file
    try:
        found = path.stat()
        directories = _directories(path, found.st_ino, found.st_size, found.st_mtime_ns)
        if number == 1 and len(directories) <= 1:
            return read_object(store, file)
        data = _read_part(path, directories, number)
    except OSError as error:
        raise PageError(
            f"{path.as_uri()}: {error.strerror or error}",
            stage="fetch",
            error_type="StorageError",
            retryable=True,
        ) from error
    except TiffError as error:
        raise PageError(
            f"{path.as_uri()}, page {number}: {error}", stage="fetch", error_type="TiffError"
        ) from error
    with fetching():
        if store.head(file) != info:
            raise StorageError(f"{path.as_uri()} changed while it was read: try again")
    return PageData(data, page_name(info.etag or "", number), page_name(path.as_uri(), number))


def image_etags(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The etags of pages by name, as :func:`read_image` tells them; without those that are not there."""
    listed = listed_etags(FileStore(folder, create=False), "")
    parts = ((name, *split_page_name(name)) for name in names)
    return {name: page_name(listed[file], number) for name, file, number in parts if file in listed}


def _read_part(path: Path, directories: tuple[int, ...], number: int) -> bytes:
    if number > len(directories):
        raise TiffError(f"it has {len(directories)} pages")
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return page_file(partial(_read_at, descriptor), directories[number - 1], max_bytes=MAX_PAGE_BYTES)
    finally:
        os.close(descriptor)


@lru_cache(maxsize=_REMEMBERED)
def _directories(path: Path, inode: int, size: int, mtime_ns: int) -> tuple[int, ...]:
    """Where the pages' directories lie in the file as it is now: the arguments tell when it is another."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ()
    try:
        return tuple(page_directories(partial(_read_at, descriptor)))
    except OSError:
        return ()
    finally:
        os.close(descriptor)


def _read_at(descriptor: int, offset: int, size: int) -> bytes:
    if not 0 <= offset < 1 << 63:
        return b""
    parts = []
    while size > 0 and (part := os.pread(descriptor, min(size, 1 << 30), offset)):
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)
