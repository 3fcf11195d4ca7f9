"""Where volumes come from: the archive, flat folders with a version, and a registry that picks by name."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from bec_core.archive.folders import LocalFolder
from bec_core.archive.manifest import MAX_STORED_BYTES, parse_manifest
from bec_core.archive.pages import MAX_PAGE_BYTES, read_object
from bec_core.archive.paths import MANIFEST_NAME, is_image_name, volume_folder
from bec_core.errors import InvalidMessage, ManifestInvalid, ManifestMissing, ObjectNotFound
from bec_core.models import DEFAULT_SOURCE, Page, PageData, Volume, VolumeRef, check_id
from bec_core.storage import ObjectTooLarge, S3Options, Store, StoredObject, open_store
from bec_core.text import readable

__all__ = [
    "BENCHMARK_SOURCE",
    "MAX_PAGE_BYTES",
    "BdrcArchive",
    "FlatVersionedFolder",
    "Source",
    "Sources",
    "standard_sources",
]

BENCHMARK_SOURCE = "ocr_benchmark"
"""The name of the flat, versioned source that the contract describes."""

_MD5 = re.compile(r"([0-9a-f]{32})(-[0-9]+)?")


class Source(Protocol):
    """Gives volumes and their pages; used from many threads."""

    def resolve(self, ref: VolumeRef) -> Volume:
        """The volume as it is now. It may have no pages.

        Raises:
            InvalidMessage: ``ref`` can't name a volume of this source.
            ManifestMissing: there is no such volume.
            ManifestInvalid: it is there, but its manifest is not what the contract says.
            StorageError: the store failed.
        """
        ...

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """A page's bytes.

        Raises:
            PageError: of stage ``fetch``; retryable if the store failed, not if the page is missing.
        """
        ...


class BdrcArchive:
    """The archive: folders by the contract's rule, each with a manifest whose etag is the version.

    Where a store's etags are no MD5, the version is the MD5 of the manifest's bytes as they are stored.
    S3's etag is just that too, so a copy of the archive on a disk has the archive's versions.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def resolve(self, ref: VolumeRef) -> Volume:
        """See :meth:`Source.resolve`."""
        key = f"{volume_folder(ref.w_id, ref.i_id)}/{MANIFEST_NAME}"
        try:
            manifest = self._store.get(key, max_bytes=MAX_STORED_BYTES)
        except ObjectNotFound:
            raise ManifestMissing(f"{ref} has no manifest: {self._store.uri(key)}") from None
        except ObjectTooLarge as error:
            raise ManifestInvalid(f"the manifest is too large: {error}") from None
        try:
            pages = parse_manifest(manifest.data)
        except ManifestInvalid as error:
            raise ManifestInvalid(f"{manifest.uri}: {error}") from None
        etag = self._version(manifest)
        return Volume(ref, etag, etag.hex()[:6], pages, manifest.last_modified)

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """See :meth:`Source.read_page`."""
        folder = volume_folder(volume.ref.w_id, volume.ref.i_id)
        return read_object(self._store, f"{folder}/{page.filename}")

    def _version(self, manifest: StoredObject) -> bytes:
        found = _MD5.fullmatch(manifest.etag or "") if self._store.etags_are_md5 else None
        return bytes.fromhex(found[1]) if found else _md5(manifest.data)


class FlatVersionedFolder:
    """Folders of images without a manifest, whose version is named in the message.

    ``{name}/images/{w_id}/{i_id}/{i_version}/``: the images directly in it, sorted by name.
    """

    def __init__(self, store: Store, name: str = BENCHMARK_SOURCE) -> None:
        self._store = store
        self._name = name

    def resolve(self, ref: VolumeRef) -> Volume:
        """See :meth:`Source.resolve`."""
        folder, version = self._folder(ref)
        prefix = f"{folder}/"
        found = self._store.list(folder, recursive=False)
        if not found:
            raise ManifestMissing(f"{ref} has no folder: {self._store.uri(folder)}")
        names = sorted({readable(info.key.removeprefix(prefix)) for info in found if is_image_name(info.key)})
        pages = tuple(Page(index, name) for index, name in enumerate(names))
        etag = _md5(f"{self._name}|{ref.w_id}|{ref.i_id}|{version}".encode())
        return Volume(ref, etag, version, pages, max(info.last_modified for info in found))

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """See :meth:`Source.read_page`."""
        return read_object(self._store, f"{self._folder(volume.ref)[0]}/{page.filename}")

    def _folder(self, ref: VolumeRef) -> tuple[str, str]:
        if ref.i_version is None:
            raise InvalidMessage(f"{ref} of source {self._name!r} needs an i_version")
        version = check_id(ref.i_version, "i_version")
        parts = (check_id(ref.w_id, "w_id"), check_id(ref.i_id, "i_id"), version)
        return f"{self._name}/images/{'/'.join(parts)}", version


class Sources:
    """All sources by name, each opened when a volume first asks for it.

    Args:
        openers: how to open each named source.
        allow_folders: whether a volume may name a folder of this machine (``file://…``). Only for a
            person's own runs: a message must not make a worker in the cloud read its local files.
    """

    def __init__(self, openers: Mapping[str, Callable[[], Source]], *, allow_folders: bool) -> None:
        self._openers = dict(openers)
        self._allow_folders = allow_folders
        self._lock = threading.Lock()
        self._open: dict[str, Source] = {}

    def resolve(self, ref: VolumeRef) -> Volume:
        """See :meth:`Source.resolve`; an unknown source is an InvalidMessage."""
        return self._source(ref).resolve(ref)

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """See :meth:`Source.read_page`."""
        return self._source(volume.ref).read_page(volume, page)

    def _source(self, ref: VolumeRef) -> Source:
        if ref.source.startswith("file:"):
            if not self._allow_folders:
                raise InvalidMessage(
                    f"{ref}: folders of this machine are not a source here: {ref.source[:200]!r}"
                )
            return LocalFolder()
        with self._lock:
            if ref.source not in self._open:
                if ref.source not in self._openers:
                    known = ", ".join(sorted(self._openers))
                    raise InvalidMessage(f"{ref}: there is no source {ref.source[:200]!r} (known: {known})")
                self._open[ref.source] = self._openers[ref.source]()
            return self._open[ref.source]


def standard_sources(
    archive_url: str, benchmark_url: str, *, s3: S3Options | None = None, allow_folders: bool = False
) -> Sources:
    """The contract's two sources at these URLs, opened when first needed."""
    return Sources(
        {
            DEFAULT_SOURCE: lambda: BdrcArchive(open_store(archive_url, s3=s3)),
            BENCHMARK_SOURCE: lambda: FlatVersionedFolder(open_store(benchmark_url, s3=s3)),
        },
        allow_folders=allow_folders,
    )


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
