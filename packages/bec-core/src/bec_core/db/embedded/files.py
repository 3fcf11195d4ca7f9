"""Files of the embedded server: made whole, given to its account, locked, and kept small."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loguru import logger

from bec_core.db.embedded.accounts import Account
from bec_core.errors import DatabaseUnavailable

_POLL_SECONDS = 0.01
# O_NOFOLLOW: root writes here in a folder of another account, which must not point it elsewhere.
_OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def open_for(account: Account, path: Path) -> int:
    """Open ``path`` for reading and writing, creating it for the account; returns the descriptor."""
    with account.acting():
        return os.open(path, _OPEN, 0o600)


def write_for(account: Account, path: Path, text: str) -> None:
    """Put ``text`` into ``path`` all at once (readable by the account and root only)."""
    with account.acting():
        _write(path, text)


def _write(path: Path, text: str) -> None:
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def exclusive_lock(account: Account, path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock file ``path`` alone; the kernel lets go of it if this process dies.

    Raises DatabaseUnavailable when another process keeps it for ``timeout`` seconds.
    """
    fd = open_for(account, path)
    try:
        started = time.monotonic()
        told = False
        while not _try_lock(fd, fcntl.LOCK_EX):
            waited = time.monotonic() - started
            if waited > timeout:
                raise DatabaseUnavailable(
                    f"Another bec process has been starting or stopping PostgreSQL for {timeout:.0f} s and "
                    f"still holds {path}: see whether one hangs or is suspended, and end it."
                )
            if waited > 2 and not told:
                told = True
                logger.info("Waiting for another bec process to start or stop PostgreSQL")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        _unlock(fd)


class SharedLock:
    """A living user's mark on the lock file ``path``: shared, and gone when the process dies.

    Take, release and ask only while holding the exclusive start lock: then nothing can change in between.
    """

    def __init__(self, account: Account, path: Path) -> None:
        self._fd = open_for(account, path)
        if not _try_lock(self._fd, fcntl.LOCK_SH):
            os.close(self._fd)
            raise DatabaseUnavailable(f"{path} is locked by a program that is not bec: end that program.")

    def release(self) -> bool:
        """Stop being a user; true when there is no other one."""
        try:
            return _try_lock(self._fd, fcntl.LOCK_EX)
        finally:
            _unlock(self._fd)


def _try_lock(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(fd: int) -> None:
    # Unlocked, not only closed: a process forked from this one still holds the same open file.
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def tail(path: Path, offset: int = 0, lines: int = 15) -> str:
    """The last lines of a log written after ``offset`` bytes; empty when there is no such file."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(offset, stream.seek(0, os.SEEK_END) - 16_384))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def keep_small(path: Path, limit: int = 1_000_000, keep: int = 100_000) -> None:
    """Cut a log of more than ``limit`` bytes to its last ``keep``.

    The file stays the same one, because a running server appends to it.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        size = os.fstat(fd).st_size
        if size > limit:
            last = os.pread(fd, keep, size - keep)
            os.ftruncate(fd, 0)
            os.write(fd, last)
    finally:
        os.close(fd)
