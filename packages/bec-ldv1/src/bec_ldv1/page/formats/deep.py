"""Samples of 10 to 16 bits that Pillow has no mode for, or cuts to 8 bits, or reads wrong.

OpenCV unpacks 10, 12 and 14 bits and keeps 16 of a colour. Neither reads separate planes of 16 bits right in every
case; but one plane alone is a grey image, which Pillow reads.
"""

from __future__ import annotations

import io
from typing import Final, cast

import cv2
import numpy as np
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from bec_ldv1.page.formats import tiff
from bec_ldv1.page.formats.grey import Deep
from bec_ldv1.page.formats.problems import damaged, unsupported

_RGB: Final = 2
_PACKED = (10, 12, 14)
_DIM = 1 << 6
"""Where no high byte reaches this, at most 14 bits of 16 are in use."""


def needs_deep_reader(page: tiff.Directory) -> bool:
    """Whether a TIFF's page has packed samples of 10, 12 or 14 bits, or ones of 16 that are separate or inverted."""
    bits, inverted = page.number(tiff.BITS, 1), page.number(tiff.PHOTOMETRIC, 1) == 0
    return bits in _PACKED or (bits == 16 and (inverted or _is_separate(page)))


def deep_tiff(page: tiff.Directory) -> tuple[Deep, int | None]:
    """The samples of a page that needs a reader of its own, and how many bits are in use, as far as is known.

    Returns:
        height × width, or height × width × 3 (RGB), as they are stored; and bits.

    Raises:
        PageProblem: the data are damaged, or no reader is known for them.
    """
    bits, samples, separate = page.number(tiff.BITS, 1), page.number(tiff.SAMPLES, 1), _is_separate(page)
    photometric, unsigned = page.number(tiff.PHOTOMETRIC, 1), page.number(tiff.SAMPLE_FORMAT, 1) == 1
    plain = (samples, photometric) in ((1, 0), (1, 1), (3, _RGB)) and len(set(page.numbers(tiff.BITS))) == 1
    if not (plain and unsigned) or (separate and bits != 16):
        kind = "in separate planes" if separate else "a pixel"
        raise unsupported(f"a TIFF with {samples} samples of {bits} bits {kind} (photometric {photometric})")
    deep = _planes(page) if separate else _by_opencv(page.alone({}), samples)
    return deep, page.used_bits if bits == 16 else 16


def deep_colour(image: ImageFile, data: bytes) -> Deep | None:
    """The 16-bit samples of an RGB image, where Pillow, which kept their high bytes, lost too much.

    Args:
        image: loaded, mode RGB.
        data: a file of the same samples, not turned.

    Returns:
        height × width × 3; None if the high bytes are enough.
    """
    highest = max(cast(tuple[int, int], extrema)[1] for extrema in image.getextrema())
    return None if highest >= _DIM else _by_opencv(data, 3)


def _is_separate(page: tiff.Directory) -> bool:
    return page.number(tiff.PLANAR, 1) == 2 and page.number(tiff.SAMPLES, 1) > 1


def _by_opencv(data: bytes, samples: int) -> Deep:
    """The samples of a file with 1 or 3 of them a pixel; packed ones fill the 16 bits from above."""
    buffer = np.frombuffer(data, np.uint8)
    decoded = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise damaged("the data are damaged or cut off")
    if decoded.dtype != np.uint16 or decoded.size // (decoded.shape[0] * decoded.shape[1]) < samples:
        raise unsupported(f"an image of {decoded.dtype} × {decoded.shape[2:]}")
    deep = np.asarray(decoded, np.uint16)
    return deep if samples == 1 else np.ascontiguousarray(deep[..., 2::-1])


def _planes(page: tiff.Directory) -> Deep:
    """The three planes of a file that keeps them apart, each read as a grey image of its strips or tiles."""
    grey = {tiff.BITS: (16,), tiff.PHOTOMETRIC: (1,), tiff.SAMPLES: (1,), tiff.PLANAR: (1,)}
    planes = []
    for number in range(3):
        parts = {
            tag: page.numbers(tag) for tag in (tiff.STRIPS, tiff.STRIP_BYTES, tiff.TILES, tiff.TILE_BYTES)
        }
        own = {
            tag: all_[len(all_) // 3 * number : len(all_) // 3 * (number + 1)] for tag, all_ in parts.items()
        }
        plane = TiffImageFile(io.BytesIO(page.alone({**grey, **own})))
        planes.append(np.asarray(plane).astype(np.uint16, copy=False))
    return np.stack(planes, axis=-1)
