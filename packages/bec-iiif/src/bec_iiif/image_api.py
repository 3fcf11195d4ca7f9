"""The Image API, versions 1 to 3: what a service says of itself, and by which URL it gives the whole of an image.

Specifications: https://iiif.io/api/image/1.1/, 2.1 and 3.0. What differs: quality ``native`` became ``default`` with 2;
size ``full`` became ``max`` with 3; the limits (``maxWidth``, ``maxHeight``, ``maxArea``) came with 2.1, in an object
within ``profile``, and stand beside it with 3; the canonical size of a smaller whole is ``w,`` up to 2, ``w,h`` with 3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, frozen

MAX_TILES = 400
"""The most parts of which an image is put together (10,000 by 10,000 pixels in tiles of 512)."""

_LEVEL = re.compile(r"level-?([012])")
_VERSION = re.compile(r"image(?:-api)?/v?([123])|ImageService([123])|image-api/(?:compliance|context)")


@frozen(kw_only=True)
class ImageService:
    """An image service as it describes itself: in a manifest in few words, in its ``info.json`` in full.

    Sizes are in pixels. ``None`` where nothing is said; ``level`` is that of compliance, 0 to 2; ``tile`` the size of
    tiles that are not scaled.
    """

    id: str
    version: int
    level: int | None = None
    width: int | None = None
    height: int | None = None
    max_width: int | None = None
    max_height: int | None = None
    max_area: int | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    tile: tuple[int, int] | None = None
    features: frozenset[str] = frozenset()
    complete: bool = False

    @property
    def any_size(self) -> bool:
        """Whether it scales: one of level 0 gives only what lies ready."""
        return self.level != 0 or not self.features.isdisjoint({"sizeByW", "sizeByWh", "sizeByForcedWh"})

    @property
    def largest(self) -> tuple[int, int] | None:
        """The largest width and height that the limits leave of the whole; None if the size is not told."""
        if not self.width or not self.height:
            return None
        # one without the other bounds both
        scale = min(
            1.0,
            (self.max_width or math.inf) / self.width,
            (self.max_height or self.max_width or math.inf) / self.height,
            math.sqrt((self.max_area or math.inf) / (self.width * self.height)),
        )
        if scale == 1.0:
            return self.width, self.height
        width = max(1, math.floor(self.width * scale))
        return width, max(1, math.floor(self.height * width / self.width))

    @property
    def is_limited(self) -> bool:
        """Whether the limits leave less than the whole."""
        return self.largest is not None and self.largest != (self.width, self.height)


def parse_service(described: object, *, base_id: str | None = None) -> ImageService | None:
    """The image service that an object describes: a ``service`` of a manifest, or an ``info.json``.

    Args:
        described: the parsed JSON.
        base_id: the id to take, whatever the object says: of an ``info.json`` the one by which it was asked for.

    Returns:
        None if it describes no image service (but a search, or a login).
    """
    if not isinstance(described, Mapping):
        return None
    own_id = base_id or described.get("@id") or described.get("id")
    profile = described.get("profile")
    told = " ".join(
        _strings([described.get("@context"), described.get("type"), described.get("@type"), profile])
    )
    version = _VERSION.search(told)
    level = _LEVEL.search(told)
    if not isinstance(own_id, str) or not (version or level or described.get("protocol") or base_id):
        return None
    number = int(version[1] or version[2] or 1) if version else 3 if level and profile == level[0] else 2
    limits: list[Mapping[str, Any]] = [described] if number >= 3 else []
    limits += [one for one in (profile if isinstance(profile, list) else []) if isinstance(one, Mapping)]
    found = ImageService(
        id=own_id.rstrip("/"),
        version=number,
        level=int(level[1]) if level else None,
        width=_pixels(described.get("width")),
        height=_pixels(described.get("height")),
        sizes=tuple(_sizes(described.get("sizes"))),
        tile=_tile(described.get("tiles")),
        complete="protocol" in described or base_id is not None,
    )
    for one in limits:
        found = evolve(
            found,
            max_width=_pixels(one.get("maxWidth")) or found.max_width,
            max_height=_pixels(one.get("maxHeight")) or found.max_height,
            max_area=_pixels(one.get("maxArea")) or found.max_area,
            features=found.features | set(_strings([one.get("supports"), one.get("extraFeatures")])),
        )
    return found


def published_whole(service: ImageService, url: str | None) -> str | None:
    """``url`` if it asks the service for the whole image as it is, as JPEG: what the library itself says that works."""
    if url is None or not url.startswith(f"{service.id}/"):
        return None
    asked = url.removeprefix(f"{service.id}/")
    return url if re.fullmatch(r"full/(full|max)/0/(default|native|color)\.jpg", asked) else None


def sure_whole(service: ImageService) -> str | None:
    """The request that works whatever the ``info.json`` says: from version 3 on ``max`` is the largest that is allowed.

    Before, only the ``info.json`` tells the limits; and of level 0 only it tells what lies ready.
    """
    return _request(service, "max") if service.version >= 3 and service.level != 0 else None


@frozen
class Tile:
    """A part of an image: its URL, and its left, top, width and height in the whole, in pixels."""

    url: str
    left: int
    top: int
    width: int
    height: int


@frozen
class Tiles:
    """An image in parts that cover it."""

    width: int
    height: int
    parts: tuple[Tile, ...]


def requests_for_whole(service: ImageService) -> list[str | Tiles]:
    """The URLs to ask a fully described service for the largest whole image, the best first and only few.

    Of level 0, a service that has nothing ready that is half as wide as the image is asked for its tiles.
    """
    whole = "max" if service.version >= 3 else "full"
    largest = service.largest
    sizes: list[str | Tiles] = []
    if service.any_size:
        if not service.is_limited:
            sizes.append(whole)
        if largest is not None:
            sizes += [whole, f"{largest[0]},{largest[1]}"] if service.version >= 3 else [f"{largest[0]},"]
        if service.version == 2:
            sizes.append("max")
    else:
        if not service.is_limited:
            sizes.append(whole)
        fitting = [
            one for one in service.sizes if largest is None or (one[0] <= largest[0] and one[1] <= largest[1])
        ]
        ready: list[str] = []
        width = 0
        if fitting:
            width, height = max(fitting, key=lambda one: one[0] * one[1])
            ready = [f"{width},", f"{width},{height}"]
            ready = ready[::-1] if service.version >= 3 else ready
        tiles = [found] if (found := _tiles(service)) else []
        sizes += [*tiles, *ready] if 2 * width < (service.width or 0) else [*ready, *tiles]
        sizes.append(whole)
    return [one if isinstance(one, Tiles) else _request(service, one) for one in dict.fromkeys(sizes)]


def _tiles(service: ImageService) -> Tiles | None:
    """The parts of a service's image at full size, by the canonical URLs under which they lie ready."""
    if service.tile is None or not service.width or not service.height or service.is_limited:
        return None
    across, down = service.tile
    if math.ceil(service.width / across) * math.ceil(service.height / down) > MAX_TILES:
        return None
    parts = []
    for top in range(0, service.height, down):
        for left in range(0, service.width, across):
            width, height = min(across, service.width - left), min(down, service.height - top)
            is_whole = (width, height) == (service.width, service.height)
            region = "full" if is_whole else f"{left},{top},{width},{height}"
            size = f"{width},{height}" if service.version >= 3 else f"{width},"
            parts.append(Tile(_request(service, size, region), left, top, width, height))
    return Tiles(service.width, service.height, tuple(parts))


def _request(service: ImageService, size: str, region: str = "full") -> str:
    quality = "native" if service.version == 1 else "default"
    return f"{service.id}/{region}/{size}/0/{quality}.jpg"


def _pixels(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**31:
        return None
    return int(value) or None


def _sizes(value: object) -> Iterator[tuple[int, int]]:
    for one in value if isinstance(value, list) else []:
        if isinstance(one, Mapping):
            width, height = _pixels(one.get("width")), _pixels(one.get("height"))
            if width and height:
                yield width, height


def _tile(value: object) -> tuple[int, int] | None:
    for one in value if isinstance(value, list) else []:
        if isinstance(one, Mapping):
            width, factors = _pixels(one.get("width")), one.get("scaleFactors")
            if width and isinstance(factors, list) and 1 in factors:
                return width, _pixels(one.get("height")) or width
    return None


def _strings(value: object) -> Iterator[str]:
    """All strings of a value that may be one, or a list of such; objects are left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
