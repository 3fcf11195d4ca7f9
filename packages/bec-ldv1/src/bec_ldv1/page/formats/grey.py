"""Samples to 8-bit grey: the luma of ITU-R 601 by Pillow's integer formula."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from bec_ldv1.page.formats.problems import unsupported

Plane = npt.NDArray[np.uint8]
Deep = npt.NDArray[np.uint16]

_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N")
_NARROW = (8, 10, 12, 14)
"""The samples that scanners and cameras store in 16 bits, in bits."""


# An image of up to a gigabyte lies in one piece, see `_samples`. Pillow documents it as PILLOW_BLOCK_SIZE.
Image.core.set_block_size(1 << 30)  # type: ignore[attr-defined]  # its C part, which it does not export


@attrs.frozen(eq=False)
class Grey:
    """An image's grey plane, and what was remarkable about its samples.

    Attributes:
        plane: uint8, height × width, 0 is black; perhaps read-only.
        one_bit: the file stores one bit per pixel.
        transparent: every pixel was wholly transparent; the plane shows what lay below.
    """

    plane: Plane
    one_bit: bool = False
    transparent: bool = False


def eight_bits(deep: Deep, used: int | None = None, *, white_is_zero: bool = False) -> Plane:
    """The eight highest bits of those that are in use.

    Where the file doesn't say how many are, or says fewer than there are, they are told from the samples: if all of
    them are below 2^8, 2^10, 2^12 or 2^14, samples of so many bits were stored in 16. A dark scan of true 16 bits
    looks the same when nothing on it is brighter than a quarter of the range, and is brightened: by one factor for
    all pixels, so that nothing is lost, and it could hardly be read otherwise. It isn't done where white is zero:
    small samples are paper there, and its noise would become a picture.

    Args:
        deep: uint16, of any shape.
        used: the bits that the file says are in use.
        white_is_zero: the samples tell how dark a pixel is.
    """
    largest = int(deep.max(initial=0))
    bits = 16 if used is None or largest >= 1 << used else used
    if used is None and largest and not white_is_zero:
        bits = next((narrow for narrow in _NARROW if largest < 1 << narrow), 16)
    if white_is_zero:
        deep = np.uint16((1 << bits) - 1) - deep
    return (deep >> (bits - 8)).astype(np.uint8)


def luma(colour: Plane) -> Plane:
    """The luma of height × width × 3, RGB."""
    return np.array(Image.fromarray(colour).convert("L"))


def grey(image: ImageFile, used_bits: int | None = None) -> Grey:
    """The grey of what Pillow reads.

    Args:
        image: opened, perhaps not loaded.
        used_bits: of samples of 16 bits, as `eight_bits` takes them.

    Raises:
        PageProblem: samples of 32 bits.
    """
    if isinstance(image, JpegImageFile) and image.mode == "RGB":
        image.draft("L", image.size)  # libjpeg then decodes the luma alone
    image.load()
    if image.mode == "1":
        return Grey(_samples(image), one_bit=True)
    if image.mode in _DEEP_MODES:
        deep = np.asarray(image).astype(np.uint16, copy=False)
        return Grey(eight_bits(deep, used_bits))
    if image.mode in ("I", "F"):
        raise unsupported(f"a {image.format} with signed, floating-point or 32-bit samples")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return Grey(_samples(image if image.mode == "L" else image.convert("L")))


def _samples(image: Image.Image) -> Plane:
    """The samples of a loaded image of the mode L, or of 1 (0 and 255), without a copy: read-only.

    Pillow shares an image that lies in one piece by Arrow's interface. By numpy's it writes it out in parts of 64 KiB,
    joins these and copies the whole: up to half of a large page's decoding, much of it under the interpreter's lock.
    """
    try:
        return np.asarray(pa.array(image).to_numpy().reshape(image.height, image.width), np.uint8)
    except ValueError:  # in several pieces: somebody else wants smaller ones
        return np.asarray(image.convert("L"))


def _on_white(image: Image.Image) -> Grey:
    """The luma of an RGBA image laid on white paper, unless nothing of it would be seen."""
    if image.getchannel("A").getextrema() == (0, 0):
        return Grey(np.array(image.convert("RGB").convert("L")), transparent=True)
    white = Image.new("RGBA", image.size, "white")
    return Grey(np.array(Image.alpha_composite(white, image).convert("L")))
