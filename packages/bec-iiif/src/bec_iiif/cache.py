"""What was fetched, kept on disk: whole or not at all, within a bound, the longest unused given up first.

::

    answers/{2 hex}/{hash of the key}   one line of JSON (URL, validators, length, SHA-256), then the bytes
    answers/new-…                       what is being written

A file's modification time says when the server was last asked, its access time when it was last used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from attrs import frozen
from loguru import logger

_ABANDONED_S = 3600.0
_LOW_WATER = 0.8  # how full it is after something was given up


@frozen
class Kept:
    """An answer that was kept: its bytes, where it came from, and what tells whether it changed.

    ``age_s`` is how long ago the server was last asked, in seconds.
    """

    data: bytes
    url: str
    etag: str | None
    last_modified: str | None
    age_s: float


class Cache:
    """Answers by key, in a folder.

    Args:
        folder: made when something is kept.
        most_bytes: so much is kept at most; 0: nothing.
        clock: the time, in seconds since the epoch.
    """

    def __init__(self, folder: Path, most_bytes: int, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder / "answers"
        self._most_bytes = most_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._room: int | None = None  # bytes that may be written before the folder is measured again

    def get(self, key: str) -> Kept | None:
        """What was kept under the key; None if nothing was, or it is damaged."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                about = json.loads(file.readline(1 << 16))
                data = file.read()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            logger.warning("{} is left out: {}", path, error)
            return None
        if not isinstance(about, dict) or about.get("sha256") != hashlib.sha256(data).hexdigest():
            logger.warning("{} is damaged: fetching it anew", path)
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):  # given up by another process meanwhile
            os.utime(path, (self._clock(), status.st_mtime))
        return Kept(
            data,
            str(about.get("url")),
            about.get("etag"),
            about.get("last_modified"),
            max(0.0, self._clock() - status.st_mtime),
        )

    def put(
        self, key: str, data: bytes, *, url: str, etag: str | None = None, last_modified: str | None = None
    ) -> None:
        """Keep an answer. What can't be kept (a full disk) is said and not kept: the work goes on without."""
        about = {
            "url": url,
            "etag": etag,
            "last_modified": last_modified,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        head = json.dumps(about).encode() + b"\n"
        if len(head) + len(data) > self._most_bytes:
            return
        path = self._path(key)
        new = self._folder / f"new-{uuid.uuid4().hex}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._make_room(len(head) + len(data))
            with new.open("wb") as file:
                file.write(head)
                file.write(data)
            now = self._clock()
            os.utime(new, (now, now))
            new.replace(path)
        except OSError as error:
            logger.warning("{} can't be kept: {}", url, error.strerror or error)
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)

    def still_good(self, key: str) -> None:
        """The server was asked: what is kept under the key is what it would give."""
        with contextlib.suppress(OSError):
            os.utime(self._path(key), (self._clock(), self._clock()))

    def _path(self, key: str) -> Path:
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        return self._folder / digest[:2] / digest[2:]

    def _make_room(self, size: int) -> None:
        """Give up what was unused for longest, if the folder would grow too large; measured now and then."""
        with self._lock:
            if self._room is not None and self._room >= size:
                self._room -= size
                return
            found: list[tuple[float, int, Path]] = []
            for path in self._folder.rglob("*"):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    if path.name.startswith("new-"):
                        if self._clock() - status.st_mtime > _ABANDONED_S:
                            path.unlink(missing_ok=True)
                    elif path.is_file():
                        found.append((status.st_atime, status.st_size, path))
            used = sum(one[1] for one in found)
            if used + size > self._most_bytes:
                low = self._most_bytes * _LOW_WATER - size
                for _, length, path in sorted(found, key=lambda one: one[0]):
                    if used <= low:
                        break
                    path.unlink(missing_ok=True)
                    used -= length
            # other processes write too: it is measured again long before the bound is reached by what this one wrote
            self._room = max(0, self._most_bytes - used - size) // 4
