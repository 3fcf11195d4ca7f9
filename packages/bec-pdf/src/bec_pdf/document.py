"""PDFium, one call at a time: it is not made for several threads, not even with a document each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

_LOCK = threading.Lock()
_PAGES_OF_ONE_OPENING = 16
"""An open document keeps what it has read; so it is closed again after so many pages."""


class PdfUnreadable(Exception):
    """The file is no PDF that can be opened; the message says why."""


class Documents:
    """Opens PDF files, and keeps the one that was used last open for its next pages."""

    def __init__(self) -> None:
        self._open: pypdfium2.PdfDocument | None = None
        self._key: object = None
        self._served = 0

    @contextmanager
    def use(self, path: Path) -> Iterator[pypdfium2.PdfDocument]:
        """The document; nobody else calls PDFium meanwhile.

        Raises:
            PdfUnreadable: the file is damaged, or needs a password.
            OSError: it is not there, or can't be read.
        """
        with _LOCK:
            status = path.stat()
            key = (path, status.st_ino, status.st_size, status.st_mtime_ns)
            if self._open is None or key != self._key or self._served >= _PAGES_OF_ONE_OPENING:
                self._close()
                self._open, self._key, self._served = _opened(path), key, 0
            self._served += 1
            yield self._open

    def close(self) -> None:
        """Close what is open."""
        with _LOCK:
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None


def _opened(path: Path) -> pypdfium2.PdfDocument:
    with path.open("rb"):  # PDFium calls a file damaged that it may not read
        pass
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise PdfUnreadable("it is encrypted and needs a password: save a copy without one") from error
        if error.err_code == pdfium.FPDF_ERR_SECURITY:
            raise PdfUnreadable("it is encrypted in a way that is not known: save a copy without") from error
        raise PdfUnreadable("it is damaged, or no PDF") from error
