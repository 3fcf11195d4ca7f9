"""Image bytes to one 8-bit grey plane: numerics 1, first half.

Pillow decodes every kind: its grey JPEG planes are libjpeg's own luma, pixel for pixel what OpenCV gives and
as fast; it releases the GIL; and unlike OpenCV it refuses truncated data instead of returning half a picture.
What it doesn't tell or gets wrong is in `bec_ldv1.page.formats`. The kind is told by the bytes, never by the file's
name.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import attrs
import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import COMPRESSION_INFO, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from bec_ldv1.errors import PageProblem
from bec_ldv1.page.flags import Flag
from bec_ldv1.page.formats import jpeg, tiff
from bec_ldv1.page.formats.deep import deep_colour, deep_tiff, needs_deep_reader
from bec_ldv1.page.formats.grey import Grey, eight_bits, grey, luma
from bec_ldv1.page.formats.grey import Plane as Plane
from bec_ldv1.page.formats.problems import damaged, of_reader, unsupported

MAX_PIXELS = 200_000_000
"""Pages with more pixels than this are refused from their header alone (a guard against bombs)."""

MAX_SIDE = 32_767
"""The longest side: the records hold coordinates as int16."""

_JPEG = b"\xff\xd8\xff"
_BIG_ENDIAN_BIGTIFF = b"MM\0+"
_PNG_BITS = 24  # where a PNG says how many bits a sample has
_DEEP = 16
_EXIF_ORIENTATION = 274


@attrs.frozen
class PageFrame:
    """What is known of a page's image without its pixels: what may outlive them.

    Attributes:
        width, height: of the upright page, pixels.
        orientation, flags: see `PageImage`.
    """

    width: int
    height: int
    orientation: int = 1
    flags: frozenset[Flag] = frozenset()

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored raster, before the EXIF orientation."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


@attrs.frozen(eq=False)
class PageImage:
    """One page's image, decoded to grey.

    Attributes:
        plane: uint8, height × width, 0 is black; upright, that is after its orientation; perhaps read-only.
        bilevel: every pixel is 0 or 255 (such a plane is never binarized again).
        orientation: what was done to the stored raster, 1 to 8 as EXIF has them; 1 leaves it as it is.
        flags: what was remarkable about the file: `MORE_PAGES`, `INCOMPLETE`, `TRANSPARENT`.
    """

    plane: Plane
    bilevel: bool
    orientation: int = 1
    flags: frozenset[Flag] = frozenset()

    @property
    def height(self) -> int:
        """Rows of the upright plane."""
        return int(self.plane.shape[0])

    @property
    def width(self) -> int:
        """Columns of the upright plane."""
        return int(self.plane.shape[1])

    @property
    def frame(self) -> PageFrame:
        """All but the pixels."""
        return PageFrame(self.width, self.height, self.orientation, self.flags)

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored raster, before the EXIF orientation."""
        return self.frame.stored_size


def decode(data: bytes) -> PageImage:
    """Decode an image file to upright 8-bit grey.

    Grey is the luma of ITU-R 601: a JPEG's own Y plane, Pillow's integer formula for everything else. Of samples of
    more than 8 bits the highest ones in use count (`formats.grey.eight_bits` says how they are told); transparency is
    laid on white, unless all would vanish; of several pages or frames the first one counts. Reduced copies and masks
    in a TIFF are no pages. A JPEG that lacks nothing but its end marker is read like any other; one whose data end
    before the picture does, though the marker is there, is read and flagged.

    Raises:
        PageProblem: the bytes are no image of a known kind, of a kind that can't be read (`error_type`
            ``UnsupportedImage``), truncated or damaged (``DamagedImage``), or hold too many pixels.
    """
    if not data:
        raise PageProblem("the file is empty", stage="decode")
    if data.startswith(_JPEG):
        return _jpeg(data)
    if data.startswith(tiff.MAGIC):
        return _tiff(data)
    return _other(data)


def upright(plane: Plane, orientation: int) -> Plane:
    """Turn a stored raster as its EXIF orientation (1 to 8) says; the result is contiguous."""
    if orientation >= 5:
        plane = plane.T
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)


def _jpeg(data: bytes) -> PageImage:
    image = _open(JpegImageFile, data)
    with _problems(image.format, image.size):
        header, complete = jpeg.structure(data), True
        try:
            found = grey(image)
        except OSError as error:
            if header is not None and header.frame not in jpeg.USUAL:
                raise unsupported(f"a JPEG of the process SOF{header.frame - 0xC0}") from error
            if header is None or jpeg.has_end(data, header):
                raise
            found = _without_end(data, header)
        else:
            complete = header is None or jpeg.is_complete(data, header, found.plane, _stored_jpeg)
        flags = set() if complete else {Flag.INCOMPLETE}
        return _page(found, _orientation(image), flags, lossless=False)


def _without_end(data: bytes, header: jpeg.Structure) -> Grey:
    """A JPEG that lacks its end marker, if that is all it lacks."""
    closed = jpeg.with_end(data)
    plane = _stored_jpeg(closed)
    if jpeg.wants_more(closed, header, plane, _stored_jpeg) or not jpeg.is_complete(
        closed, header, plane, _stored_jpeg
    ):
        raise damaged("the JPEG data is damaged: the file is truncated")
    return Grey(plane)


def _stored_jpeg(data: bytes) -> Plane:
    return grey(JpegImageFile(io.BytesIO(data))).plane


def _tiff(data: bytes) -> PageImage:
    if data.startswith(_BIG_ENDIAN_BIGTIFF):
        raise unsupported("a big-endian BigTIFF")
    directories = tiff.directories(data)
    pages = tiff.pages(directories)
    page = pages[0] if pages else None
    flags = {Flag.MORE_PAGES} if len(pages) > 1 else set()
    if page is not None:
        data = data if page is directories[0] else page.as_file()
        if page.has_hole():
            flags.add(Flag.INCOMPLETE)
        if needs_deep_reader(page):
            return _deep_tiff(page, flags)
        if page.number(tiff.COMPRESSION, 1) not in COMPRESSION_INFO:
            raise unsupported(f"a TIFF with compression {page.number(tiff.COMPRESSION, 1)}")
    image = _open(TiffImageFile, data)
    with _problems(image.format, image.size):
        orientation = _orientation(image)  # while it is known: loading turns the image and forgets it
        used_bits = None if page is None else page.used_bits
        found = grey(image, used_bits)
        if page is not None and page.number(tiff.BITS, 1) == _DEEP and image.mode == "RGB":
            deep = deep_colour(image, page.alone({}))
            if deep is not None:
                stored = Grey(luma(eight_bits(deep, used_bits)))
                return _page(stored, orientation, flags)
        return _page(found, orientation, flags, turned=True)


def _deep_tiff(page: tiff.Directory, flags: set[Flag]) -> PageImage:
    size = page.number(tiff.WIDTH, 0), page.number(tiff.HEIGHT, 0)
    _check_size(size)
    with _problems("TIFF", size):
        deep, used = deep_tiff(page)
        white_is_zero = page.number(tiff.PHOTOMETRIC, 1) == 0
        plane = eight_bits(deep, used, white_is_zero=white_is_zero)
        orientation = _known(page.number(tiff.ORIENTATION, 1))
        return _page(Grey(plane if plane.ndim == 2 else luma(plane)), orientation, flags)


def _other(data: bytes) -> PageImage:
    image = _open(_reader(data), data)
    with _problems(image.format, image.size):
        flags = {Flag.MORE_PAGES} if getattr(image, "is_animated", False) else set()
        found = grey(image)
        if isinstance(image, PngImageFile) and data[_PNG_BITS] == _DEEP and image.mode == "RGB":
            deep = deep_colour(image, data)
            found = found if deep is None else Grey(luma(eight_bits(deep)))
        return _page(found, _orientation(image), flags)


def _page(
    found: Grey, orientation: int, flags: set[Flag], *, lossless: bool = True, turned: bool = False
) -> PageImage:
    """The page of a plane that is as it is stored, or was `turned` upright by its reader."""
    bilevel = found.one_bit or (lossless and _only_black_and_white(found.plane))
    plane = found.plane if turned else upright(found.plane, orientation)
    flags = flags | {Flag.TRANSPARENT} if found.transparent else flags
    return PageImage(plane, bilevel, orientation, frozenset(flags))


def _reader(data: bytes) -> Callable[[io.BytesIO], ImageFile]:
    """The Pillow reader for these bytes, by their first bytes."""
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
    raise PageProblem(
        f"not an image of a known kind (JPEG, TIFF, PNG, JPEG 2000, GIF, BMP, WebP); "
        f"the file begins with {data[:8].hex(' ')}",
        stage="decode",
    )


def _open(reader: Callable[[io.BytesIO], ImageFile], data: bytes) -> ImageFile:
    """Read the header only. The readers are called directly: Image.open has a pixel limit of its own."""
    try:
        image = reader(io.BytesIO(data))
    except Exception as error:  # Pillow's readers raise nearly any type on damaged headers
        raise of_reader(error, "image", "header") from error
    _check_size(image.size)
    return image


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PageProblem(f"the image has no pixels ({width} × {height})", stage="decode")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise PageProblem(
            f"the image is too large: {width} × {height} px; at most {MAX_PIXELS:,} pixels and "
            f"{MAX_SIDE:,} px a side can be recorded",
            stage="decode",
        )


@contextmanager
def _problems(kind: str | None, size: tuple[int, int]) -> Iterator[None]:
    """Whatever goes wrong while an image is decoded, as a problem of the page."""
    try:
        yield
    except PageProblem:
        raise
    except MemoryError as error:
        raise PageProblem(
            f"not enough memory to decode {size[0]} × {size[1]} px", stage="decode", retryable=True
        ) from error
    except Exception as error:  # Pillow's decoders raise nearly any type on damaged bytes
        raise of_reader(error, kind or "image", "data") from error


def _orientation(image: ImageFile) -> int:
    """The EXIF (or TIFF) orientation, 1 where there is none or nonsense."""
    try:
        return _known(cast(object, image.getexif().get(_EXIF_ORIENTATION, 1)))
    except Exception:  # noqa: BLE001 - a damaged EXIF block says nothing about good pixels
        return 1


def _known(orientation: object) -> int:
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _only_black_and_white(plane: Plane) -> bool:
    """Whether both 0 and 255 occur and nothing else; a sparse sample settles most grey pages."""
    sample = plane[::16, ::16]
    if np.any((sample != 0) & (sample != 255)):
        return False
    black, white = np.count_nonzero(plane == 0), np.count_nonzero(plane == 255)
    return bool(black and white and black + white == plane.size)
