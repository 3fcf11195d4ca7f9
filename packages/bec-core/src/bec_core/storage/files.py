"""The store of ``file://``: a directory, written so that a crash leaves a whole object or none.

Plain system calls rather than obstore's local store: that one can't compare and swap, does not fsync,
and can't list a folder in which a single name holds a control character.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import fcntl
import os
import stat
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from loguru import logger

from bec_core.errors import ObjectChanged, ObjectNotFound, StorageError, StorageRefused
from bec_core.storage.base import CHUNK, Body, ObjectInfo, ObjectTooLarge, Store, StoredObject, check_key

_TEMP = ".bec-tmp-"
_YOUNG_S = 2.0  # a temporary file may be so old before its writer has locked it
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class FileStore(Store):
    """Objects as files below ``root``, which is created when missing unless ``create=False``.

    An etag is made of the file's inode, time (nanoseconds) and size: it changes with every write of
    ours. Writing syncs the file and its directory before it returns. :meth:`swap` and :meth:`delete`
    hold ``flock`` on the object's directory, so they exclude each other on one machine;
    :meth:`put` does not look, so don't mix it with :meth:`swap` on one key. Symbolic links are followed
    for reading; a listing doesn't descend into linked directories.
    """

    def __init__(self, root: Path, *, create: bool = True) -> None:
        self._root = Path(os.path.abspath(root))  # noqa: PTH100 - absolute() would keep '..'
        if create:
            with _system_errors(self._root):
                for parent in _make_folder(self._root):
                    _sync_folder(parent)

    @property
    def url(self) -> str:
        """The root's ``file://`` URL."""
        return self._root.as_uri()

    @property
    def etags_are_md5(self) -> bool:
        """No: they name inode, time and size."""
        return False

    def uri(self, key: str) -> str:
        """The file's URL."""
        return self._path(key).as_uri()

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject:
        """See :meth:`Store.get`; a file that is being rewritten in place is a StorageError."""
        path = self._path(key)
        with _reading(path) as descriptor:
            before = _regular(os.fstat(descriptor), path)
            if max_bytes is not None and before.st_size > max_bytes:
                raise ObjectTooLarge(
                    f"{path.as_uri()} has {before.st_size:,} bytes; at most {max_bytes:,} are read"
                )
            data = _read_exactly(descriptor, before.st_size)
            if len(data) != before.st_size or _etag(os.fstat(descriptor)) != _etag(before):
                raise StorageError(f"{path.as_uri()} changed while it was read: try again")
        return StoredObject(data, _etag(before), _time(before), path.as_uri())

    def chunks(self, key: str) -> Iterator[bytes]:
        """See :meth:`Store.chunks`; a file that is being rewritten in place is a StorageError."""
        path = self._path(key)
        with _reading(path) as descriptor:
            before = _regular(os.fstat(descriptor), path)
            while piece := os.read(descriptor, CHUNK):
                yield piece
            if _etag(os.fstat(descriptor)) != _etag(before):
                raise StorageError(f"{path.as_uri()} changed while it was read: try again")

    def head(self, key: str) -> ObjectInfo:
        """See :meth:`Store.head`."""
        path = self._path(key)
        with _system_errors(path, missing=True):
            found = _regular(path.stat(), path)
        return ObjectInfo(key, found.st_size, _etag(found), _time(found), path.as_uri())

    def exists(self, key: str) -> bool:
        """See :meth:`Store.exists`."""
        try:
            self.head(key)
        except ObjectNotFound:
            return False
        return True

    def list(
        self, prefix: str = "", *, recursive: bool = True, name: str | None = None
    ) -> builtins.list[ObjectInfo]:
        """See :meth:`Store.list`; unfinished writes and dangling links are not objects."""
        folder = self._path(prefix) if prefix else self._root
        found: list[ObjectInfo] = []
        with _system_errors(folder):
            pending = [(folder, f"{prefix}/" if prefix else "")]
            while pending:
                here, base = pending.pop()
                try:
                    entries = _entries(here)
                except PermissionError:
                    if here == folder:
                        raise
                    logger.warning("{} can't be read and is left out: grant reading and entering it", here)
                    continue
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if recursive:
                            pending.append((Path(entry.path), f"{base}{entry.name}/"))
                    elif entry.name.startswith(_TEMP) or (name is not None and entry.name != name):
                        continue
                    elif info := _info(entry, base):
                        found.append(info)
        return sorted(found, key=lambda info: info.key)

    def put(self, key: str, data: bytes) -> str | None:
        """See :meth:`Store.put`."""
        path = self._path(key)
        with _system_errors(path), _written(path, data) as temporary:
            etag = _etag(temporary.stat())
            temporary.replace(path)
        return etag

    def swap(self, key: str, data: Body, *, if_etag: str | None) -> str | None:
        """See :meth:`Store.swap`."""
        path = self._path(key)
        with _system_errors(path), _written(path, data) as temporary:
            etag = _etag(temporary.stat())
            if if_etag is None:
                _create(temporary, path)
            else:
                with _locked(path.parent):
                    _expect(path, if_etag)
                    temporary.replace(path)
        return etag

    def delete(self, key: str) -> None:
        """See :meth:`Store.delete`."""
        path = self._path(key)
        try:
            with _system_errors(path, missing=True), _locked(path.parent):
                path.unlink()
                _sync_folder(path.parent)
        except ObjectNotFound:
            return

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)


_REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})


@contextlib.contextmanager
def _system_errors(path: Path, *, missing: bool = False) -> Iterator[None]:
    """Turn the system's errors into ours; ``missing``: no such file is an ObjectNotFound."""
    try:
        yield
    except OSError as error:
        if missing and isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            raise ObjectNotFound(f"there is no object {path.as_uri()}") from None
        kind = StorageRefused if error.errno in _REFUSALS else StorageError
        raise kind(f"{path.as_uri()}: {error.strerror or error}") from error


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[int]:
    """The descriptor of the open file; O_NONBLOCK, so that a named pipe can't hold us up."""
    with _system_errors(path, missing=True):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _etag(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


def _time(found: os.stat_result) -> datetime:
    return datetime.fromtimestamp(found.st_mtime, UTC)


def _regular(found: os.stat_result, path: Path) -> os.stat_result:
    if not stat.S_ISREG(found.st_mode):
        raise ObjectNotFound(f"{path.as_uri()} is not a file")
    return found


def _read_exactly(descriptor: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.read(descriptor, min(size, 1 << 30))):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _info(entry: os.DirEntry[str], base: str) -> ObjectInfo | None:
    try:
        found = entry.stat()
    except OSError:  # gone since, a dangling link, or a loop of links: no object
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return ObjectInfo(base + entry.name, found.st_size, _etag(found), _time(found), Path(entry.path).as_uri())


@contextlib.contextmanager
def _written(path: Path, data: Body) -> Iterator[Path]:
    """A synced temporary file beside ``path`` with ``data``; the body moves it into place.

    New folders are synced at the end: with a journal the file's own sync has written their names by then.
    """
    parents = _make_folder(path.parent)
    _sweep(path.parent)
    temporary = path.parent / (_TEMP + uuid.uuid4().hex)
    try:
        with temporary.open("xb") as file:
            with contextlib.suppress(OSError):  # a file system without locks keeps its litter
                fcntl.flock(file, fcntl.LOCK_EX)  # until it has its name: we live
            for piece in (data,) if isinstance(data, bytes) else data.chunks():
                file.write(piece)
            file.flush()
            # the kernel's own stamp is as coarse as its tick: two writes could get one etag
            os.utime(file.fileno(), ns=(now := time.time_ns(), now))
            os.fsync(file.fileno())
            yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    for folder in (path.parent, *parents):
        _sync_folder(folder)


def _sweep(folder: Path) -> None:
    """Remove the temporary files of writers that were killed: nobody locks them any more."""
    for entry in _entries(folder):
        if entry.name.startswith(_TEMP):
            with contextlib.suppress(OSError):  # gone since, or locked: its writer lives
                if time.time() - entry.stat().st_mtime < _YOUNG_S:
                    continue
                with Path(entry.path).open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    Path(entry.path).unlink()


def _create(temporary: Path, path: Path) -> None:
    """Give ``temporary`` the name ``path`` if that is free, in one step."""
    taken = ObjectChanged(f"{path.as_uri()} exists already")
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise taken from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # exFAT and its like have no links: look and rename, alone in the directory
        with _locked(path.parent):
            if os.path.lexists(path):
                raise taken from None
            temporary.replace(path)


def _expect(path: Path, etag: str) -> None:
    try:
        present = _etag(path.stat())
    except FileNotFoundError:
        raise ObjectChanged(f"{path.as_uri()} was removed in the meantime") from None
    if present != etag:
        raise ObjectChanged(f"{path.as_uri()} was written by somebody else in the meantime")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> list[Path]:
    """Create ``folder`` and its parents; the folders that got a new name, to be synced."""
    if folder.is_dir():
        return []
    parents = _make_folder(folder.parent) if folder.parent != folder else []
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "a file is in the way of the folder", str(folder)) from None
    return [folder.parent, *parents]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
