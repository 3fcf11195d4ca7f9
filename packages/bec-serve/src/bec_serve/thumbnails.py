"""Small pictures of pages, made from bytes that nobody vouches for."""

from __future__ import annotations

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from bec_core import BecError

_SIDE = 480
_MOST_PIXELS = 400_000_000
_FORMATS = ("JPEG", "PNG", "TIFF", "JPEG2000", "WEBP", "GIF", "BMP")


class NoPicture(BecError):
    """The bytes are no image that can be shown."""


def thumbnail(data: bytes) -> bytes:
    """A JPEG of at most 480 pixels a side, upright.

    Raises:
        NoPicture: it is no image, a broken one, or larger than any scan.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise NoPicture(f"{image.width} by {image.height} pixels are too many")
            image.draft("RGB", (2 * _SIDE, 2 * _SIDE))  # a JPEG is then decoded at a fraction of its size
            small = ImageOps.exif_transpose(image.convert("RGB"))
            small.thumbnail((_SIDE, _SIDE))
            out = io.BytesIO()
            small.save(out, "JPEG", quality=80)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NoPicture(f"no image that can be shown: {type(error).__name__}") from error
    return out.getvalue()
