"""Volumes in a store: the archive with its manifests, and flat folders with a version."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from loguru import logger

from bec_core.archive.manifest import MAX_STORED_BYTES, parse_manifest
from bec_core.archive.pages import listed_etags, read_object
from bec_core.archive.paths import (
    MANIFEST_NAME,
    is_image_name,
    is_resource_fork,
    volume_folder,
    volume_of_folder,
)
from bec_core.builtin import BENCHMARK_SOURCE
from bec_core.errors import InvalidMessage, ManifestInvalid, ManifestMissing, ObjectNotFound
from bec_core.models import DEFAULT_SOURCE, Page, PageData, Volume, VolumeRef, check_id
from bec_core.source import ListedVolume, SourceSetup, volume_by_ids
from bec_core.storage import ObjectTooLarge, Store, StoredObject
from bec_core.text import readable

_MD5 = re.compile(r"([0-9a-f]{32})(-[0-9]+)?")


class BdrcArchive:
    """The archive: folders by the contract's rule, each with a manifest whose etag is the version.

    Where a store's etags are no MD5, the version is the MD5 of the manifest's bytes as they are stored.
    S3's etag is just that too, so a copy of the archive on a disk has the archive's versions.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, place: str) -> list[VolumeRef]:
        """The volume of these ids (``W_ID,I_ID``); whether it is there, nobody asks."""
        return [volume_by_ids(place, DEFAULT_SOURCE)]

    def resolve(self, ref: VolumeRef) -> Volume:
        """See :meth:`~bec_core.source.Source.resolve`."""
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

    def parts(self) -> list[str]:
        """See :class:`~bec_core.source.Listable`: the first two digits of the works' hashes."""
        return [f"{number:02x}" for number in range(256)]

    def list_part(self, part: str) -> list[ListedVolume]:
        """See :class:`~bec_core.source.Listable`: by the manifests in the listing; none is read."""
        found = []
        for info in self._store.list(f"Works/{part}", name=MANIFEST_NAME):
            if ids := volume_of_folder(info.key.rpartition("/")[0]):
                etag = _MD5.fullmatch(info.etag or "") if self._store.etags_are_md5 else None
                version = bytes.fromhex(etag[1]) if etag else None
                found.append(ListedVolume(VolumeRef(*ids), version))
        return found

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """See :meth:`~bec_core.source.Source.read_page`."""
        folder = volume_folder(volume.ref.w_id, volume.ref.i_id)
        return read_object(self._store, f"{folder}/{page.filename}")

    def page_etags(self, volume: Volume) -> Mapping[str, str]:
        """See :meth:`~bec_core.source.WithPageEtags.page_etags`: one listing of the folder."""
        return listed_etags(self._store, volume_folder(volume.ref.w_id, volume.ref.i_id))

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

    def find(self, place: str) -> list[VolumeRef]:
        """The volume of these ids (``W_ID,I_ID``, then its version); whether it is there, nobody asks."""
        return [volume_by_ids(place, self._name)]

    def resolve(self, ref: VolumeRef) -> Volume:
        """See :meth:`~bec_core.source.Source.resolve`."""
        folder, version = self._folder(ref)
        prefix = f"{folder}/"
        found = self._store.list(folder, recursive=False)
        if not found:
            raise ManifestMissing(f"{ref} has no folder: {self._store.uri(folder)}")
        images = [info.key.removeprefix(prefix) for info in found if is_image_name(info.key)]
        names = sorted({readable(name) for name in images if not is_resource_fork(name)})
        if forks := sum(is_resource_fork(name) for name in images):
            logger.info("{}: {} files ._* are no images and are left out", ref, forks)
        pages = tuple(Page(index, name) for index, name in enumerate(names))
        etag = _md5(f"{self._name}|{ref.w_id}|{ref.i_id}|{version}".encode())
        return Volume(ref, etag, version, pages, max(info.last_modified for info in found))

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """See :meth:`~bec_core.source.Source.read_page`."""
        return read_object(self._store, f"{self._folder(volume.ref)[0]}/{page.filename}")

    def page_etags(self, volume: Volume) -> Mapping[str, str]:
        """See :meth:`~bec_core.source.WithPageEtags.page_etags`: one listing of the folder."""
        return listed_etags(self._store, self._folder(volume.ref)[0])

    def _folder(self, ref: VolumeRef) -> tuple[str, str]:
        if ref.i_version is None:
            raise InvalidMessage(f"{ref} of source {self._name!r} needs an i_version")
        version = check_id(ref.i_version, "i_version")
        parts = (check_id(ref.w_id, "w_id"), check_id(ref.i_id, "i_id"), version)
        return f"{self._name}/images/{'/'.join(parts)}", version


def open_archive(setup: SourceSetup) -> BdrcArchive:
    """The archive where the settings say it is."""
    return BdrcArchive(setup.open_store(setup.locations[DEFAULT_SOURCE]))


def open_benchmark(setup: SourceSetup) -> FlatVersionedFolder:
    """The flat folders in the bucket that the settings name."""
    return FlatVersionedFolder(setup.open_store(setup.locations[BENCHMARK_SOURCE]))


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
