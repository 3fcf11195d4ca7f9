"""What every object store can do, and the values it hands out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from attrs import field, frozen

from bec_core.errors import BecError, StorageError


class InvalidKey(BecError):
    """A key that could leave the store's root or that not every store can hold."""


class ObjectTooLarge(StorageError):
    """The object is larger than the reader's bound; it was not read."""

    retryable = False


@frozen
class ObjectInfo:
    """An object without its data: size in bytes, ``etag`` without quotes."""

    key: str
    size: int
    etag: str | None
    last_modified: datetime
    uri: str


@frozen
class StoredObject:
    """An object's data; ``etag`` without quotes, ``uri`` for people."""

    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")
    etag: str | None
    last_modified: datetime
    uri: str


CHUNK = 1 << 20
"""How much of a large object is in memory at a time, bytes."""


@frozen
class FileBody:
    """An object's data that lies in an open file of this machine, to be written to a store.

    Attributes:
        file: open for reading, with a descriptor; nobody writes to it any more.
        size: in bytes.
        sha256, md5: of its content, in hex digits.
    """

    file: BinaryIO = field(repr=False)
    size: int
    sha256: str
    md5: str

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces, from its beginning each time; several readers don't disturb each other."""
        at = 0
        while at < self.size:
            piece = os.pread(self.file.fileno(), min(CHUNK, self.size - at), at)
            if not piece:
                raise OSError(f"a staged file ended after {at:,} of {self.size:,} bytes")
            at += len(piece)
            yield piece

    def read(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks())


Body = bytes | FileBody
"""What can be written: bytes, or a file's content where it is large."""


def check_key(key: str) -> str:
    """Return ``key`` if it names a place below a store's root, else raise :class:`InvalidKey`.

    Refused: an absolute key, an empty one, empty parts, ``.`` and ``..``, backslashes, control
    characters (no store of ours lists them safely), and text that is not valid Unicode.
    """
    reason = ""
    if not key:
        reason = "it is empty"
    elif key.startswith("/"):
        reason = "it is absolute"
    elif "\\" in key or any(ord(c) < 0x20 or ord(c) == 0x7F for c in key):
        reason = "it holds a backslash or a control character"
    elif any(part in ("", ".", "..") for part in key.split("/")):
        reason = "it has an empty part, '.' or '..'"
    elif any(0xD800 <= ord(c) <= 0xDFFF for c in key):
        reason = "it is not valid Unicode"
    if reason:
        raise InvalidKey(f"{key[:200]!r} is not an object's key: {reason}")
    return key


class Store(ABC):
    """A place for objects. Every method may raise :class:`~bec_core.errors.StorageError`."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The root's URL; :func:`bec_core.storage.open_store` opens it again."""

    @property
    @abstractmethod
    def etags_are_md5(self) -> bool:
        """Whether an etag is the MD5 of the stored bytes (S3's are, but for multipart uploads)."""

    @abstractmethod
    def uri(self, key: str) -> str:
        """The object's full URL, for people and for records."""

    @abstractmethod
    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject:
        """Read a whole object.

        Raises:
            ObjectNotFound: there is none.
            ObjectTooLarge: it has more than ``max_bytes``; its data was not read.
        """

    @abstractmethod
    def chunks(self, key: str) -> Iterator[bytes]:
        """Read an object in pieces, so that a large one is never in memory as a whole.

        Raises:
            ObjectNotFound: there is none.
        """

    @abstractmethod
    def head(self, key: str) -> ObjectInfo:
        """An object's size, etag and time.

        Raises:
            ObjectNotFound: there is none.
        """

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether there is an object."""

    @abstractmethod
    def list(self, prefix: str = "", *, recursive: bool = True, name: str | None = None) -> list[ObjectInfo]:
        """The objects in the folder ``prefix`` (empty: the root), sorted by key; none is an empty list.

        ``recursive=False`` gives only those directly in it, ``name`` only files of this name (others cost no memory).
        """

    @abstractmethod
    def put(self, key: str, data: bytes) -> str | None:
        """Write an object whether or not there is one, wholly or not at all; its new etag."""

    @abstractmethod
    def swap(self, key: str, data: Body, *, if_etag: str | None) -> str | None:
        """Compare and swap: write only if the object's present etag is ``if_etag``; its new etag.

        ``if_etag=None`` means that there must be no object yet. What lies in a file is not read into memory.

        Raises:
            ObjectChanged: the object is another one, or is gone, or (``None``) exists already.
        """

    def put_new(self, key: str, data: bytes) -> str | None:
        """Create an object; its etag.

        Raises:
            ObjectChanged: it exists already; it is left as it is.
        """
        return self.swap(key, data, if_etag=None)

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; that there is none is no error."""
