"""The source ``pdf``: a file is a volume, its pages are called ``p0001.pdf``, ``p0002.pdf`` …"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bec_core import (
    InvalidMessage,
    ManifestInvalid,
    ManifestMissing,
    Page,
    PageData,
    PageError,
    SettingsError,
    SourceSetup,
    StorageError,
    Volume,
    VolumeRef,
    file_volume,
)
from bec_pdf.document import Documents, PdfUnreadable
from bec_pdf.page import PdfPageUnreadable, page_image

_WAY = "1"
"""Of making images of pages: raised when another image comes out, so that it is another version."""

_NAME = re.compile(r"p([0-9]+)\.pdf")


class PdfSource:
    """PDF files on this machine. A volume's version is the MD5 of the file's name, size and time, and of how pages are
    drawn.

    Args:
        dpi: the resolution at which pages are drawn that are not one image.
    """

    def __init__(self, dpi: int) -> None:
        self._dpi = dpi
        self._documents = Documents()

    def find(self, place: str) -> list[VolumeRef]:
        """The volume that the file at this path (or ``file://`` URL) is."""
        path = _path_of(place) if place.startswith("file:") else Path(place)
        if path is None or not path.is_file():
            raise SettingsError(f"there is no file {place}")
        return [file_volume("pdf", path)]

    def resolve(self, ref: VolumeRef) -> Volume:
        """See :meth:`bec_core.Source.resolve`; a file that is damaged or needs a password is ManifestInvalid."""
        path = _file(ref)
        try:
            status = path.stat()
            with self._documents.use(path) as document:
                number = len(document)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ManifestMissing(f"{ref}: there is no file {path}") from None
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror or error}") from error
        except PdfUnreadable as error:
            raise ManifestInvalid(f"{path}: {error}") from error
        told = f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n{_WAY}\0{self._dpi}"
        etag = hashlib.md5(told.encode("utf-8", "surrogateescape"), usedforsecurity=False)
        pages = tuple(Page(index, f"p{index + 1:04}.pdf") for index in range(number))
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        return Volume(ref, etag.digest(), etag.hexdigest()[:6], pages, modified)

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """The page's image: see :func:`bec_pdf.page.page_image`."""
        path = _file(volume.ref)
        named = _NAME.fullmatch(page.filename)
        if named is None:
            raise PageError(f"{path} has no page {page.filename}", stage="fetch", error_type="ObjectNotFound")
        number = int(named[1])
        uri = f"{path.as_uri()}#page={number}"
        try:
            with self._documents.use(path) as document:
                if not 1 <= number <= len(document):
                    raise PdfPageUnreadable(f"it has {len(document)} pages")
                image = page_image(document, number - 1, self._dpi)
            data = image.encoded()  # not under the lock
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            raise PageError(
                f"{uri}: {error.strerror or error}",
                stage="fetch",
                error_type="ObjectNotFound" if gone else "StorageError",
                retryable=not gone,
            ) from error
        except (PdfUnreadable, PdfPageUnreadable) as error:
            raise PageError(f"{uri}: {error}", stage="fetch", error_type=type(error).__name__) from error
        return PageData(data, _page_etag(volume, number), uri)

    def page_etags(self, volume: Volume) -> Mapping[str, str]:
        """The pages' etags: the volume's version tells the file as it is."""
        return {page.filename: _page_etag(volume, page.index + 1) for page in volume.pages}


def open_source(setup: SourceSetup) -> PdfSource:
    """The source with its settings."""
    return PdfSource(setup.settings.dpi)


def _page_etag(volume: Volume, number: int) -> str:
    return f"{volume.etag.hex()}-{number}"


def _file(ref: VolumeRef) -> Path:
    path = _path_of(ref.source.partition(":")[2])
    if path is None:
        raise InvalidMessage(f"{ref}: {ref.source[:200]!r} names no PDF file: pdf:file:///absolute/path.pdf")
    return path


def _path_of(url: str) -> Path | None:
    parts = urlsplit(url)
    path = unquote(parts.path, errors="surrogateescape")
    if parts.scheme != "file" or parts.netloc or parts.query or parts.fragment or not path.startswith("/"):
        return None
    return None if "\0" in path else Path(path)
