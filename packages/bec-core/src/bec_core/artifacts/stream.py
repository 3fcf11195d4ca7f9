"""A stream that a job writes a large artifact to: it grows in a file without a name, and is hashed as it grows.

A file without a name is gone with its last descriptor: whatever becomes of the process, nothing is left behind.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from bec_core.storage import FileBody

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ArtifactStream(io.RawIOBase):
    """Written at its end alone. Closing it keeps what was written: :meth:`staged` gives it, :meth:`discard` drops it.

    Args:
        folder: where the file lies, None: the system's folder for temporary files.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = cast(BinaryIO, tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - staged() hands it on
        self._size = 0
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Append all of it."""
        if self.closed:
            raise ValueError("the artifact's stream is closed")
        view = memoryview(data).cast("B")
        self._file.write(view)
        self._sha256.update(view)
        self._md5.update(view)
        self._size += len(view)
        return len(view)

    def tell(self) -> int:
        """How much was written."""
        return self._size

    def staged(self) -> FileBody:
        """What was written; the file is the receiver's to close."""
        self._file.flush()
        return FileBody(self._file, self._size, self._sha256.hexdigest(), self._md5.hexdigest())

    def discard(self) -> None:
        """Drop what was written."""
        self._file.close()

    def __exit__(self, *_: Any) -> None:
        self.close()
