"""The source: IIIF manifests as volumes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from urllib.parse import urlsplit

from loguru import logger

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
)
from bec_iiif.address import normal_url
from bec_iiif.cache import Cache
from bec_iiif.errors import FetchError, NotAllowed, Refused, TooLarge, Unavailable
from bec_iiif.fetch import Fetcher, Patience, user_agent
from bec_iiif.ids import SOURCE, volume_of
from bec_iiif.library import Library
from bec_iiif.pace import Pace
from bec_iiif.presentation import Collection, Manifest, PageImage, parse
from bec_iiif.settings import IiifSettings

MAX_VOLUMES = 20_000
"""The most manifests that are taken from one collection and those in it."""

_MAX_COLLECTIONS = 500
_REMEMBERED = 64  # volumes whose lists of images are at hand
_NAMED = 5  # manifests that a message names


class IiifSource:
    """Volumes whose ``source`` is ``iiif:`` and the URL of a manifest.

    Pages are the images in reading order, named by their canvas's place (``0001.jpg``); the version is told by
    :attr:`~bec_iiif.presentation.Manifest.etag`.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._images: OrderedDict[bytes, dict[str, PageImage]] = OrderedDict()  # by version, then page name

    def find(self, place: str) -> list[VolumeRef]:
        """The volume of a manifest's URL, or those of a collection's, with the collections in it.

        A URL whose path ends in ``manifest`` or ``manifest.json`` is taken at its word: a list of thousands is
        enqueued without a request. See :meth:`~bec_core.Source.find`.
        """
        try:
            url = normal_url(place)
            if urlsplit(url).path.lower().endswith(("/manifest", "/manifest.json")):
                return [volume_of(url)]
            return self._volumes_at(url)
        except Unavailable as error:
            raise StorageError(str(error)) from error
        except (FetchError, ManifestInvalid) as error:
            raise SettingsError(str(error)) from error

    def resolve(self, ref: VolumeRef) -> Volume:
        """See :meth:`~bec_core.Source.resolve`."""
        url = _url_of(ref)
        try:
            found = self._parsed(url)
        except Unavailable as error:
            raise StorageError(str(error)) from error
        except Refused as error:
            raise ManifestMissing(f"{ref}: {error}") from error
        except NotAllowed as error:
            raise InvalidMessage(f"{ref}: {error}") from error
        except TooLarge as error:
            raise ManifestInvalid(f"{ref}: {error}") from error
        if isinstance(found, Collection):
            inner = (*found.manifests, *found.collections)
            more = f" and {len(inner) - _NAMED} more" if len(inner) > _NAMED else ""
            raise ManifestInvalid(
                f"{url} is a collection, not a volume; ask for what is in it: {', '.join(inner[:_NAMED])}{more}"
            )
        self._remember(found)
        pages = tuple(Page(n, one.name, one.width, one.height) for n, one in enumerate(found.images))
        return Volume(ref, found.etag, found.etag.hex()[:6], pages)

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """See :meth:`~bec_core.Source.read_page`."""
        image = self._image_of(volume, page)
        try:
            found = self._library.image(image)
        except FetchError as error:
            raise PageError(
                str(error), stage="fetch", error_type=type(error).__name__, retryable=error.retryable
            ) from error
        # servers' own etags change with their software, and many give none
        return PageData(found.data, hashlib.md5(found.data, usedforsecurity=False).hexdigest(), found.url)

    def _parsed(self, url: str) -> Manifest | Collection:
        served = self._library.manifest(url)
        return parse(served.data, served.url)

    def _volumes_at(self, url: str) -> list[VolumeRef]:
        """The volumes of a manifest or collection, and of the collections in it, each asked for once."""
        volumes: dict[str, VolumeRef] = {}
        pending, seen = [url], {url}
        while pending:
            here = pending.pop(0)
            found = self._parsed(here)
            if isinstance(found, Manifest):
                self._remember(found)
                volumes[here] = volume_of(here)
                continue
            for inner in found.manifests:
                volumes[inner] = volume_of(inner)
            for inner in found.collections:
                if inner not in seen:
                    seen.add(inner)
                    pending.append(inner)
            if len(volumes) > MAX_VOLUMES or len(seen) > _MAX_COLLECTIONS:
                raise SettingsError(
                    f"{url} holds more than {MAX_VOLUMES:,} manifests or {_MAX_COLLECTIONS} collections:"
                    " name the collections in it one by one"
                )
        if len(volumes) != 1 or url not in volumes:
            logger.info("{} is a collection of {} manifests", url, len(volumes))
        return list(volumes.values())

    def _remember(self, manifest: Manifest) -> None:
        with self._lock:
            self._images[manifest.etag] = {one.name: one for one in manifest.images}
            self._images.move_to_end(manifest.etag)
            while len(self._images) > _REMEMBERED:
                self._images.popitem(last=False)

    def _image_of(self, volume: Volume, page: Page) -> PageImage:
        with self._lock:
            images = self._images.get(volume.etag)
        if images is None:  # resolved long ago
            now = self.resolve(volume.ref)
            if now.etag != volume.etag:
                raise PageError(
                    f"{volume.ref}: its manifest has changed, {volume.version} is not served any more",
                    stage="fetch",
                    error_type="ManifestChanged",
                )
            with self._lock:
                images = self._images[volume.etag]
        if page.filename not in images:
            raise PageError(
                f"{volume.ref} has no page {page.filename}", stage="fetch", error_type="ObjectNotFound"
            )
        return images[page.filename]


def _url_of(ref: VolumeRef) -> str:
    name, told, url = ref.source.partition(":")
    if name != SOURCE or not told:
        raise InvalidMessage(f"{ref}: its source names no manifest: write {SOURCE}:URL")
    try:
        return normal_url(url)
    except NotAllowed as error:
        raise InvalidMessage(f"{ref}: {error}") from error


def open_source(setup: SourceSetup) -> IiifSource:
    """The source as its settings say."""
    settings: IiifSettings = setup.settings or IiifSettings()
    return make_source(
        setup.cache,
        settings,
        Patience(silence_s=settings.timeout_s, whole_s=10 * settings.timeout_s),
    )


def make_source(folder: Path, settings: IiifSettings, patience: Patience) -> IiifSource:
    """The source with its cache in ``folder``.

    Raises:
        SettingsError: the folder can't be made or written.
    """
    try:
        (folder / "hosts").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{folder} can't be made: {error.strerror or error} (BEC_HOME says where BEC keeps its files)"
        ) from error
    fetcher = Fetcher(
        Pace(folder / "hosts", per_second=settings.requests_per_second, most_wait_s=patience.longest_pause_s),
        patience,
        agent=user_agent(settings.contact),
        allow_private=settings.allow_private,
    )
    cache = Cache(folder, settings.cache_mb << 20)
    return IiifSource(Library(fetcher, cache, fresh_s=settings.fresh_hours * 3600))
