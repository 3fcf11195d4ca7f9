"""The Presentation API, versions 2 and 3 (and what came before 2): a manifest's images in reading order.

Specifications: https://iiif.io/api/presentation/2.1/ and 3.0. Which version it is, is told by its shape: servers say
one thing in ``@context`` and serve another. Nothing in a manifest is trusted: its size and the number of its values
are bounded before it is parsed, and what has not the expected shape is left out, or is an error that says what it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from loguru import logger

from bec_core import ManifestInvalid
from bec_iiif.address import host_of, normal_joined
from bec_iiif.errors import NotAllowed
from bec_iiif.image_api import ImageService, parse_service

MAX_BYTES = 64 * 1024 * 1024
"""The largest manifest that is parsed (2,000 canvases of some 2 kB are 4 MB)."""

MAX_VALUES = 3_000_000
"""The most JSON values that are parsed: a bound on memory, which bytes alone are not."""

_NAMED = 5  # canvases that one line of the log names

_ENDINGS = {
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tif",
    "image/jp2": ".jp2",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
}
_SUFFIX = re.compile(r"\.(jpe?g|png|tiff?|jp2|webp|gif|bmp)$", re.IGNORECASE)


@frozen
class PageImage:
    """One image of a manifest: the name that it has here, where it is, and its size in pixels as the manifest says it.

    ``url`` is the image's own id, ``service`` what gives it in other sizes; one of them is there.
    """

    name: str
    url: str | None
    service: ImageService | None
    width: int | None
    height: int | None

    @property
    def key(self) -> str:
        """What tells this image from all others."""
        return self.service.id if self.service else str(self.url)


@frozen
class Manifest:
    """A manifest's images in reading order."""

    images: tuple[PageImage, ...]

    @property
    def etag(self) -> bytes:
        """The version: the MD5 of names, ids and sizes of the images, in their order.

        Labels, rights, ranges, the order of keys and whether an id begins with http or https change no image, so
        they make no new version: libraries generate manifests anew all the time.
        """
        digest = hashlib.md5(usedforsecurity=False)
        for one in self.images:
            place = one.key.partition("://")[2]
            digest.update(f"{one.name}\0{place}\0{one.width or ''}\0{one.height or ''}\n".encode())
        return digest.digest()


@frozen
class Collection:
    """What a collection names: the URLs of manifests, and of other collections."""

    manifests: tuple[str, ...]
    collections: tuple[str, ...]


def parse(data: bytes, url: str) -> Manifest | Collection:
    """What was served at ``url``.

    Raises:
        ManifestInvalid: it is neither a manifest nor a collection, with what is wrong.
    """
    try:
        return _parse(_load(data), url)
    except RecursionError:
        raise ManifestInvalid(f"{url}: the manifest is nested too deeply") from None


def _parse(root: object, url: str) -> Manifest | Collection:
    if not isinstance(root, Mapping):
        raise ManifestInvalid(f"{url}: a manifest is a JSON object, this is a {type(root).__name__}")
    kind = str(_first(root, "type", "@type") or "")
    if kind.endswith("Collection"):
        return _collection(root, url)
    if isinstance(root.get("sequences"), list):
        return Manifest(tuple(_images(list(_canvases_2(root, url)), url)))
    if isinstance(root.get("items"), list) and (kind == "Manifest" or not kind):
        return Manifest(tuple(_images(list(_objects(root["items"])), url)))
    if "protocol" in root or str(root.get("@context")).endswith("image/2/context.json"):
        raise ManifestInvalid(f"{url} describes one image (info.json), not a volume: name its manifest")
    raise ManifestInvalid(
        f"{url} is no IIIF manifest: it has neither sequences nor items (type: {kind or 'none'})"
    )


def _load(data: bytes) -> object:
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"<":
        raise ManifestInvalid(
            "a page of HTML or XML came, not a manifest: is it a viewer's address, or a barrier?"
        )
    if text.count(b",") + text.count(b"[") + text.count(b"{") > MAX_VALUES:
        raise ManifestInvalid(f"the manifest holds more than {MAX_VALUES:,} values")
    try:
        return json.loads(text)
    except ValueError as error:  # also bad UTF-8
        raise ManifestInvalid(f"the manifest is not JSON: {str(error)[:200]}") from None


# -- canvases ---------------------------------------------------------------------------------------------


def _canvases_2(root: Mapping[str, Any], url: str) -> Iterator[Mapping[str, Any]]:
    """The canvases of the first sequence: others are other orders of the same, and needn't be embedded."""
    sequences = list(_objects(root["sequences"]))
    if sequences and not isinstance(sequences[0].get("canvases"), list):
        raise ManifestInvalid(f"{url}: its first sequence has no list of canvases")
    if sequences:
        yield from _objects(sequences[0]["canvases"])


def _images(canvases: list[Mapping[str, Any]], url: str) -> Iterator[PageImage]:
    """The images of canvases, each named by its canvas's place: a canvas without one leaves a gap, and is told."""
    without: list[str] = []
    for number, canvas in enumerate(canvases, start=1):
        found = 0
        for resource in _painted(canvas):
            image = _image(resource, f"{number:04}" + (f"-{found + 1}" if found else ""), url)
            if image is not None:
                found += 1
                yield image
        if not found:
            without.append(f"{number} ({_label(canvas.get('label'))})")
    if without:
        more = f" and {len(without) - _NAMED} more" if len(without) > _NAMED else ""
        logger.warning(
            "{}: {} of {} canvases have no image and are left out: {}{}",
            url, len(without), len(canvases), ", ".join(without[:_NAMED]), more,
        )  # fmt: skip


def _painted(canvas: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | str]:
    """What is painted onto a canvas, of both versions, a choice by its default."""
    for annotation in _objects(canvas.get("images")):
        if _paints(annotation):
            yield from _chosen(annotation.get("resource"))
    for page in _objects(canvas.get("items")):
        for annotation in _objects(page.get("items")):
            if _paints(annotation):
                yield from _chosen(annotation.get("body"))


def _paints(annotation: Mapping[str, Any]) -> bool:
    motivation = annotation.get("motivation")
    told = motivation if isinstance(motivation, list) else [motivation]
    return motivation is None or any(str(one).endswith("painting") for one in told)


def _chosen(body: object) -> Iterator[Mapping[str, Any] | str]:
    """The resources that a body stands for: of a choice its default (in version 3 the first), of a part its whole."""
    if isinstance(body, list):
        for one in body:
            yield from _chosen(one)
    elif isinstance(body, str) and body:
        yield body
    elif isinstance(body, Mapping):
        kind = str(_first(body, "type", "@type") or "")
        if kind.endswith("Choice"):
            default = body.get("default")
            items = body.get("items", body.get("item"))
            first = items[0] if isinstance(items, list) and items else items
            yield from _chosen(default if isinstance(default, Mapping | str) else first)
        elif kind.endswith("SpecificResource"):
            yield from _chosen(body.get("full", body.get("source")))
        elif not kind or kind.lower().endswith("image"):
            yield body


def _image(resource: Mapping[str, Any] | str, number: str, url: str) -> PageImage | None:
    about = {"id": resource} if isinstance(resource, str) else resource
    own = _absolute(_first(about, "id", "@id"), url)
    services = [found for one in _listed(about.get("service")) if (found := _service(one, url))]
    service = max(services, key=lambda one: one.version, default=None)
    if own is None and service is None:
        return None
    ending = ".jpg" if service else _ending(str(own), about.get("format"))
    return PageImage(f"{number}{ending}", own, service, _pixels(about, "width"), _pixels(about, "height"))


def _service(described: object, url: str) -> ImageService | None:
    if not isinstance(described, Mapping):
        return None
    base = _absolute(_first(described, "id", "@id"), url)
    return parse_service({**described, "@id": base}) if base else None


def _absolute(found: object, url: str) -> str | None:
    """An id as a URL that can be asked; on the manifest's own host as https, if that came so: old ids say http."""
    if not isinstance(found, str) or not found.strip():
        return None
    try:
        there = normal_joined(url, found)
    except NotAllowed:  # a URN, say
        return None
    if url.startswith("https:") and there.startswith("http:") and host_of(there) == host_of(url):
        return there.replace("http:", "https:", 1)
    return there


def _ending(url: str, media_type: object) -> str:
    """How the name of an image without a service ends."""
    if known := _ENDINGS.get(str(media_type).partition(";")[0].strip().lower()):
        return known
    suffix = _SUFFIX.search(urlsplit(url).path)
    return suffix[0].lower() if suffix else ".jpg"


# -- collections ------------------------------------------------------------------------------------------


def _collection(root: Mapping[str, Any], url: str) -> Collection:
    """The members of a collection, of both versions; collections within it count as their members, if they are here."""
    manifests: list[str] = []
    collections: list[str] = []
    pending: list[tuple[object, bool]] = [
        *((one, True) for one in _listed(root.get("collections"))),
        *((one, False) for one in _listed(root.get("manifests"))),
        *((one, False) for one in _listed(root.get("members"))),
        *((one, False) for one in _listed(root.get("items"))),
    ]
    for one, is_collection in pending:
        about = {"id": one} if isinstance(one, str) else one if isinstance(one, Mapping) else {}
        place = _absolute(_first(about, "id", "@id"), url)
        kind = str(_first(about, "type", "@type") or "")
        if is_collection or kind.endswith("Collection"):
            inner = _collection(about, url)
            manifests += inner.manifests
            collections += inner.collections
            if place and not (inner.manifests or inner.collections):
                collections.append(place)
        elif place:
            manifests.append(place)
        else:
            logger.warning(
                "{}: a member of the collection has no URL and is left out: {}", url, str(one)[:200]
            )
    return Collection(tuple(dict.fromkeys(manifests)), tuple(dict.fromkeys(collections)))


# -- JSON -------------------------------------------------------------------------------------------------


def _first(about: Mapping[str, Any], *keys: str) -> object:
    return next((about[key] for key in keys if about.get(key)), None)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    for one in _listed(value):
        if isinstance(one, Mapping):
            yield one


def _pixels(about: Mapping[str, Any], key: str) -> int | None:
    value = about.get(key)
    whole = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**31
    return int(value) or None if whole and value is not None else None


def _label(value: object) -> str:
    """A label for a message: a string, a language map, a value with its language, or several."""
    if isinstance(value, str):
        return value[:40]
    if isinstance(value, list) and value:
        return _label(value[0])
    if isinstance(value, Mapping) and value:
        return _label(value.get("@value", next(iter(value.values()))))
    return "no label"
