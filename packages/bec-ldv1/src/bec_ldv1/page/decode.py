"""Image bytes to one 8-bit grey plane: numerics 1, first half.

Pillow decodes every kind: its grey JPEG planes are libjpeg's own luma, pixel for pixel what OpenCV gives and
as fast; it releases the GIL; and unlike OpenCV it refuses truncated data instead of returning half a picture.
The kind is told by the bytes, never by the file's name.
"""

import io
from collections.abc import Callable
from typing import cast

import attrs
import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from bec_ldv1.errors import PageProblem

Plane = npt.NDArray[np.uint8]

MAX_PIXELS = 200_000_000
"""Pages with more pixels than this are refused from their header alone (a guard against bombs)."""

MAX_SIDE = 32_767
"""The longest side: the records hold coordinates as int16."""

_EXIF_ORIENTATION = 274
_PHOTOMETRIC = 262
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N")


@attrs.frozen(eq=False)
class PageImage:
    """One page's image, decoded to grey.

    Attributes:
        plane: uint8, height × width, 0 is black; upright, that is after its orientation.
        bilevel: every pixel is 0 or 255 (such a plane is never binarized again).
        orientation: what was done to the stored raster, 1 to 8 as EXIF has them; 1 leaves it as it is.
    """

    plane: Plane
    bilevel: bool
    orientation: int = 1

    @property
    def height(self) -> int:
        """Rows of the upright plane."""
        return int(self.plane.shape[0])

    @property
    def width(self) -> int:
        """Columns of the upright plane."""
        return int(self.plane.shape[1])

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored raster, before the EXIF orientation."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def decode(data: bytes) -> PageImage:
    """Decode an image file to upright 8-bit grey.

    Grey is the luma of ITU-R 601: a JPEG's own Y plane, Pillow's integer formula for everything else. 16-bit
    samples keep their high byte; transparency is laid on white; of several frames the first one counts.

    Raises:
        PageProblem: the bytes are no image of a known kind, truncated or damaged, or hold too many pixels.
    """
    image = _open(data)
    width, height = image.size
    if width < 1 or height < 1:
        raise PageProblem(f"the image has no pixels ({width} × {height})", stage="decode")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise PageProblem(
            f"the image is too large: {width} × {height} px; at most {MAX_PIXELS:,} pixels and "
            f"{MAX_SIDE:,} px a side can be recorded",
            stage="decode",
        )
    try:
        plane, one_bit = _grey(image)
        orientation = _orientation(image)
    except PageProblem:
        raise
    except MemoryError as error:
        raise PageProblem(
            f"not enough memory to decode {width} × {height} px", stage="decode", retryable=True
        ) from error
    except Exception as error:  # Pillow's decoders raise nearly any type on damaged bytes
        raise PageProblem(f"the {image.format} data is damaged: {error}", stage="decode") from error
    lossless = not isinstance(image, JpegImageFile)
    bilevel = one_bit or (lossless and _only_black_and_white(plane))
    return PageImage(upright(plane, orientation), bilevel, orientation)


def upright(plane: Plane, orientation: int) -> Plane:
    """Turn a stored raster as its EXIF orientation (1 to 8) says; the result is contiguous."""
    if orientation >= 5:
        plane = plane.T
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)


def _kind(data: bytes) -> Callable[[io.BytesIO], ImageFile] | None:
    """The Pillow reader for these bytes, by their first bytes."""
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return TiffImageFile
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")):
        return Jpeg2KImageFile
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GifImageFile
    if data.startswith(b"BM"):
        return BmpImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    return None


def _open(data: bytes) -> ImageFile:
    """Read the header only. The readers are called directly: Image.open has a pixel limit of its own."""
    if not data:
        raise PageProblem("the file is empty", stage="decode")
    reader = _kind(data)
    if reader is None:
        raise PageProblem(
            f"not an image of a known kind (JPEG, TIFF, PNG, JPEG 2000, GIF, BMP, WebP); "
            f"the file begins with {data[:8].hex(' ')}",
            stage="decode",
        )
    try:
        return reader(io.BytesIO(data))
    except Exception as error:  # Pillow's readers raise nearly any type on damaged headers
        raise PageProblem(f"the image's header is damaged: {error}", stage="decode") from error


def _grey(image: ImageFile) -> tuple[Plane, bool]:
    """The grey plane and whether the file stores one bit per pixel."""
    if isinstance(image, JpegImageFile) and image.mode == "RGB":
        image.draft("L", image.size)  # libjpeg then decodes the luma alone
    image.load()
    if image.mode == "1":
        return np.array(image.convert("L")), True
    if image.mode in _DEEP_MODES:
        deep = np.asarray(image)
        if isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0:
            deep = np.uint16(0xFFFF) - deep.astype(
                np.uint16
            )  # "white is zero", which Pillow inverts up to 8 bits
        return (deep >> 8).astype(np.uint8), False
    if image.mode in ("I", "F"):
        raise PageProblem("32-bit samples are not supported; convert to 8 or 16 bits", stage="decode")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA")), False
    return np.array(image if image.mode == "L" else image.convert("L")), False


def _on_white(image: Image.Image) -> Plane:
    """The luma of an RGBA image laid on white paper."""
    white = Image.new("RGBA", image.size, "white")
    return np.array(Image.alpha_composite(white, image).convert("L"))


def _orientation(image: ImageFile) -> int:
    """The EXIF (or TIFF) orientation, 1 where there is none or nonsense."""
    try:
        value = cast(object, image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a damaged EXIF block says nothing about good pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _only_black_and_white(plane: Plane) -> bool:
    """Whether both 0 and 255 occur and nothing else; a sparse sample settles most grey pages."""
    sample = plane[::16, ::16]
    if np.any((sample != 0) & (sample != 255)):
        return False
    black, white = np.count_nonzero(plane == 0), np.count_nonzero(plane == 255)
    return bool(black and white and black + white == plane.size)
