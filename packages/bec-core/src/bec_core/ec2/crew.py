"""The workers of one machine acting as one: who is in counts, and the last one out knows that it is."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bec_core.errors import SettingsError


class Crew:
    """Processes that share a file by its lock: one that is killed has left. Used by one thread at a time.

    Raises:
        SettingsError: the file can't be made.
    """

    def __init__(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise SettingsError(
                f"{file} can't be made: {error.strerror or error}; by it the workers of this instance know of each"
                " other: let BEC_HOME be a folder that can be written"
            ) from error

    def join(self) -> None:
        """Be in from now on. Whatever the last one out does is waited for."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    @contextmanager
    def leaving(self) -> Iterator[bool]:
        """Leave; whether nobody else is in, and nobody comes in within the block."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, and so leave."""
        os.close(self._descriptor)
