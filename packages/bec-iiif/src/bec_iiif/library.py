"""What libraries serve, through the cache: manifests as they are now, and each page's image in its largest size."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping

from attrs import frozen
from loguru import logger

from bec_iiif.address import host_of
from bec_iiif.cache import Cache, Kept
from bec_iiif.errors import FetchError, Refused, Unavailable
from bec_iiif.fetch import Answer, Fetcher
from bec_iiif.image_api import (
    ImageService,
    Tiles,
    parse_service,
    published_whole,
    requests_for_whole,
    sure_whole,
)
from bec_iiif.presentation import MAX_BYTES, PageImage
from bec_iiif.tiles import join

MAX_IMAGE_BYTES = 512 * 1024 * 1024
"""The largest page that is read, as of BEC's other sources."""

_MAX_INFO_BYTES = 4 * 1024 * 1024
_MAX_TILE_BYTES = 16 * 1024 * 1024
_JSON = "application/ld+json, application/json;q=0.9, */*;q=0.1"
_IMAGE = "image/jpeg, image/*;q=0.9, */*;q=0.1"
_MANIFEST_FRESH_S = 60.0


class NoImage(FetchError):
    """A text came in place of an image: an error in words, or a barrier that takes us for a machine. It may pass."""

    retryable = True


@frozen
class Served:
    """What was served: its bytes, and the URL that gave them."""

    data: bytes
    url: str


class Library:
    """Asks libraries' servers, and keeps what they gave.

    Args:
        fetcher: asks.
        cache: keeps.
        fresh_s: so long a kept image is taken without asking.
    """

    def __init__(self, fetcher: Fetcher, cache: Cache, *, fresh_s: float) -> None:
        self._fetcher = fetcher
        self._cache = cache
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._refusing: set[str] = set()  # hosts whose info.json is asked first: without it one was refused

    def manifest(self, url: str) -> Served:
        """A manifest's bytes, asked for unless that was done a minute ago; not sent again if it is unchanged.

        Raises:
            FetchError: it can't be had.
        """
        return self._kept_or(url, f"manifest {url}", _MANIFEST_FRESH_S, _JSON, MAX_BYTES)

    def image(self, image: PageImage) -> Served:
        """An image in the largest size that its server gives.

        Raises:
            FetchError: it can't be had.
        """
        key = f"image {image.key}"
        kept = self._cache.get(key)
        if kept is not None:
            if kept.age_s <= self._fresh_s:
                return Served(kept.data, kept.url)
            if (found := self._unchanged(key, kept)) is not None:
                return found
        refused: Refused | None = None
        tried: set[str | Tiles] = set()
        for request in self._requests(image):
            if request in tried:
                continue
            tried.add(request)
            try:
                found = (
                    self._joined(key, request) if isinstance(request, Tiles) else self._asked(key, request)
                )
            except Refused as error:
                logger.debug("{}", error)
                refused = error
                continue
            if refused is not None:
                with self._lock:
                    self._refusing.add(host_of(found.url))
            return found
        assert refused is not None, "there is at least one request for an image"
        raise refused

    def _asked(self, key: str, url: str) -> Served:
        answer = self._fetcher.get(url, most_bytes=MAX_IMAGE_BYTES, accept=_IMAGE)
        self._check(answer)
        self._keep(key, url, answer)
        return Served(answer.data, url)

    def _joined(self, key: str, tiles: Tiles) -> Served:
        parts: list[bytes] = []
        for tile in tiles.parts:
            answer = self._fetcher.get(tile.url, most_bytes=_MAX_TILE_BYTES, accept=_IMAGE)
            self._check(answer)
            parts.append(answer.data)
        found = Served(join(tiles, parts), tiles.parts[0].url)
        self._cache.put(key, found.data, url=found.url)
        return found

    # -- which request ---------------------------------------------------------------------------------

    def _requests(self, image: PageImage) -> Iterator[str | Tiles]:
        """The URLs (or tiles) to try, each only if those before it were refused."""
        service = image.service
        if service is None:
            yield str(image.url)
            return
        host = host_of(service.id)
        direct = published_whole(service, image.url) or sure_whole(service)
        if direct is not None and host not in self._refusing:
            yield direct
        described = service if service.complete and service.width else self._described(service)
        if described is not None:
            yield from requests_for_whole(described)
        if image.url is not None:
            if described is None:
                logger.warning("{}: no info.json; taking the image as the manifest names it", service.id)
            yield image.url
        elif described is None:
            yield from requests_for_whole(service)

    def _described(self, service: ImageService) -> ImageService | None:
        """The service as its ``info.json`` describes it; None if that can't be had."""
        url = f"{service.id}/info.json"
        try:
            found = self._kept_or(url, f"info {url}", self._fresh_s, _JSON, _MAX_INFO_BYTES)
            described = parse_service(json.loads(found.data), base_id=service.id)
        except (Refused, ValueError, RecursionError) as error:
            logger.info("{} can't be had: {}", url, str(error)[:200])
            return None
        except Unavailable as error:
            if error.status in (None, 429, 503):
                raise
            logger.info("{} can't be had: {}", url, error)
            return None
        return described if described is not None and described.width else None

    # -- through the cache -----------------------------------------------------------------------------

    def _kept_or(self, url: str, key: str, fresh_s: float, accept: str, most_bytes: int) -> Served:
        kept = self._cache.get(key)
        if kept is not None and kept.age_s <= fresh_s:
            return Served(kept.data, kept.url)
        answer = self._fetcher.get(url, most_bytes=most_bytes, accept=accept, known=_validators(kept))
        if answer.status == 304 and kept is not None:
            self._cache.still_good(key)
            return Served(kept.data, kept.url)
        self._keep(key, answer.url, answer)
        return Served(answer.data, answer.url)

    def _unchanged(self, key: str, kept: Kept) -> Served | None:
        """What was kept long ago, or what took its place at the same URL; None: ask as if nothing had been kept."""
        if not (known := _validators(kept)):
            return None
        try:
            answer = self._fetcher.get(kept.url, most_bytes=MAX_IMAGE_BYTES, accept=_IMAGE, known=known)
        except Refused:
            return None
        if answer.status == 304:
            self._cache.still_good(key)
            return Served(kept.data, kept.url)
        self._check(answer)
        self._keep(key, kept.url, answer)
        return Served(answer.data, kept.url)

    def _keep(self, key: str, url: str, answer: Answer) -> None:
        self._cache.put(
            key,
            answer.data,
            url=url,
            etag=answer.headers.get("ETag"),
            last_modified=answer.headers.get("Last-Modified"),
        )

    @staticmethod
    def _check(answer: Answer) -> None:
        """Refuse a text: what an image is, its decoder judges, whatever its media type says."""
        start = answer.data[:200].lstrip()
        if not start:
            raise NoImage(f"{answer.url}: an empty answer came, not an image")
        if start[:1] in (b"<", b"{"):
            shown = start[:80].decode("ascii", "replace")
            raise NoImage(f"{answer.url}: a text came, not an image: {shown!r}")


def _validators(kept: Kept | None) -> Mapping[str, str]:
    if kept is None:
        return {}
    if kept.etag:
        return {"If-None-Match": kept.etag}
    return {"If-Modified-Since": kept.last_modified} if kept.last_modified else {}
