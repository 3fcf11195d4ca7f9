"""Putting an image together of its tiles, for services that have nothing else."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

from PIL import Image

from bec_iiif.errors import TooLarge, Unavailable
from bec_iiif.image_api import Tiles

_MAX_PIXELS = 200_000_000
_QUALITY = 95


def join(tiles: Tiles, parts: Sequence[bytes]) -> bytes:
    """The whole as a JPEG of high quality.

    Args:
        tiles: where each part goes.
        parts: the parts' images, in the order of ``tiles.parts``.

    Raises:
        TooLarge: the whole has too many pixels.
        Unavailable: a part is no image, or has another size than it should.
    """
    first = tiles.parts[0].url
    if tiles.width * tiles.height > _MAX_PIXELS:
        raise TooLarge(f"{first}: {tiles.width} by {tiles.height} pixels are too many to put together")
    whole = Image.new("RGB", (tiles.width, tiles.height))
    for tile, data in zip(tiles.parts, parts, strict=True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a tile's odd metadata is nobody's concern
                with Image.open(io.BytesIO(data)) as part:
                    size = part.size
                    if size == (tile.width, tile.height):
                        whole.paste(part.convert("RGB"), (tile.left, tile.top))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise Unavailable(f"{tile.url} is no image: {error}") from error
        if size != (tile.width, tile.height):
            raise Unavailable(f"{tile.url}: {size} pixels came, not {(tile.width, tile.height)}")
    file = io.BytesIO()
    whole.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()
