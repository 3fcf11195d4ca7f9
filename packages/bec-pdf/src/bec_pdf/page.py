"""One page of a PDF as an image: the one that it holds, as it is stored if it can be, else the page as it is drawn.

A scanned page is one image, alone or with text that nobody sees (what an OCR program found). Its stored bytes are the
page if they are a JPEG or a JPEG 2000 that lies upright on the page; in another coding (fax, say), or on a turned page,
the pixels are, turned by quarters at most, so that nothing is sampled anew. Whether the image looks like the page (it
has no mask, no inverting ``Decode``, nothing cut off) is not told by rules but seen: both are compared, made small.
"""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

import numpy as np
import pypdfium2  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]
from attrs import frozen
from PIL import Image

_MOST_PIXELS = 50_000_000
"""Of a page that is drawn: A3 at 500 dpi. A larger one is drawn at a lower resolution."""

_MOST_IMAGE_PIXELS = 250_000_000
"""Of an image that is decoded here."""

_SMALL = 96  # pixels: the longer side of what is compared
_ALIKE = 20.0  # grey levels: the mean difference of images that are called alike
_STORED = (["DCTDecode"], ["JPXDecode"])
_TOLERANCE = 0.01  # of the image's sides: how far one may be askew or reach out of the page
_POINTS = 72.0
_ORIENTATION = 274  # Exif


class PdfPageUnreadable(Exception):
    """A page can't be made an image; the message says why."""


@frozen
class PageImage:
    """A page: bytes as they are stored, or pixels."""

    stored: bytes | None = None
    pixels: Image.Image | None = None
    dpi: float | None = None

    def encoded(self) -> bytes:
        """The image file: as it was stored, else PNG."""
        if self.stored is not None:
            return self.stored
        assert self.pixels is not None
        file = io.BytesIO()
        more = {"dpi": (self.dpi, self.dpi)} if self.dpi else {}
        _bilevel(self.pixels).save(file, "PNG", compress_level=1, **more)
        return file.getvalue()


def page_image(document: pypdfium2.PdfDocument, index: int, dpi: int) -> PageImage:
    """The image of a page.

    Args:
        document: an open document, of which nobody else reads meanwhile.
        index: the page, from 0.
        dpi: the resolution at which it is drawn if it is not one image; less if it were too many pixels.

    Raises:
        PdfPageUnreadable: PDFium can't read it.
    """
    try:
        page = document[index]
    except pypdfium2.PdfiumError as error:
        raise PdfPageUnreadable(f"the page is damaged: {error}") from error
    try:
        image = _only_image(page)
        if image is not None and (found := _as_it_is(page, image)) is not None:
            return found
        return _drawn(page, dpi)
    except (pypdfium2.PdfiumError, MemoryError) as error:
        raise PdfPageUnreadable(f"the page can't be drawn: {type(error).__name__}: {error}") from error
    finally:
        page.close()


def _only_image(page: pypdfium2.PdfPage) -> pypdfium2.PdfImage | None:
    """The image that a page is; None if it holds something else that can be seen, or several."""
    images = []
    for one in page.get_objects(max_depth=1):
        if isinstance(one, pypdfium2.PdfImage):
            images.append(one)
        elif one.type != pdfium.FPDF_PAGEOBJ_TEXT or not _is_invisible(one):
            return None
        if len(images) > 1:
            return None
    return images[0] if images else None


def _is_invisible(text: pypdfium2.PdfObject) -> bool:
    return bool(pdfium.FPDFTextObj_GetTextRenderMode(text) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)


def _as_it_is(page: pypdfium2.PdfPage, image: pypdfium2.PdfImage) -> PageImage | None:
    """The image itself; None if it is not what the page shows."""
    width, height = image.get_px_size()
    turn = _turn(page, image)
    if turn is None or not 0 < width * height <= _MOST_IMAGE_PIXELS or not _lies_within(page, image):
        return None
    small = _small_page(page, image)
    if turn == _UPRIGHT and image.get_filters(skip_simple=True) in _STORED:
        data = bytes(image.get_data(decode_simple=True))
        if _looks_like(_small_image(data), small):
            return PageImage(stored=data)
    bitmap = image.get_bitmap()
    try:
        pixels = bitmap.to_pil().copy()
    finally:
        bitmap.close()
    if pixels.mode not in ("L", "RGB"):
        pixels = pixels.convert("RGB")
    for step in turn:
        pixels = pixels.transpose(step)
    return PageImage(pixels=pixels) if _looks_like(pixels, small) else None


_FLIP, _MIRROR = Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.FLIP_LEFT_RIGHT
_TRANSPOSE = Image.Transpose.TRANSPOSE
_UPRIGHT: tuple[Image.Transpose, ...] = ()


def _turn(page: pypdfium2.PdfPage, image: pypdfium2.PdfImage) -> tuple[Image.Transpose, ...] | None:
    """What brings the image's pixels into the page's directions; None if it lies askew."""
    a, b, c, d, _, _ = image.get_matrix().get()
    quarters = page.get_rotation() // 90
    for _ in range(quarters):  # the page is turned clockwise when it is shown: (x, y) becomes (y, -x)
        a, b, c, d = b, -a, d, -c
    if max(abs(b), abs(c)) <= _TOLERANCE * min(abs(a), abs(d)):
        return (*((_MIRROR,) if a < 0 else ()), *((_FLIP,) if d < 0 else ()))
    if max(abs(a), abs(d)) <= _TOLERANCE * min(abs(b), abs(c)):
        # the image's rows run up or down the page: transposed, its columns go right if c is negative as rows go down
        return (_TRANSPOSE, *((_MIRROR,) if c > 0 else ()), *((_FLIP,) if b > 0 else ()))
    return None


def _lies_within(page: pypdfium2.PdfPage, image: pypdfium2.PdfImage) -> bool:
    """Whether what the page shows has all of the image."""
    left, bottom, right, top = image.get_bounds()
    room_x, room_y = _TOLERANCE * (right - left), _TOLERANCE * (top - bottom)
    margins = _margins(page, image)
    return all(margin >= -room for margin, room in zip(margins, (room_x, room_y) * 2, strict=True))


def _margins(page: pypdfium2.PdfPage, image: pypdfium2.PdfImage) -> list[float]:
    """How much page is left, below, right of and above the image, in points of the page as it is not turned."""
    left, bottom, right, top = image.get_bounds()
    page_left, page_bottom, page_right, page_top = page.get_bbox()
    return [left - page_left, bottom - page_bottom, page_right - right, page_top - top]


def _small_page(page: pypdfium2.PdfPage, image: pypdfium2.PdfImage) -> Image.Image:
    """The part of the page where the image lies, drawn small, in grey."""
    left, bottom, right, top = image.get_bounds()
    margins = _turned(_margins(page, image), page.get_rotation() // 90)
    crop = tuple(max(0.0, margin) for margin in margins)
    scale = _SMALL / max(right - left, top - bottom, 1e-6)
    return _render(page, scale, crop).convert("L")


def _turned(margins: list[float], quarters: int) -> list[float]:
    """Margins (left, bottom, right, top) of a page that is shown turned clockwise by so many quarters."""
    for _ in range(quarters):
        left, bottom, right, top = margins
        margins = [bottom, right, top, left]
    return margins


def _small_image(data: bytes) -> Image.Image | None:
    """The stored image, in grey and quickly made small; None if it can't be decoded as it is, or if its own metadata
    turn it, which no viewer of PDF files heeds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                if image.getexif().get(_ORIENTATION, 1) != 1:
                    return None
                image.draft(None, (8 * _SMALL, 8 * _SMALL))
                return image.convert("RGB").convert("L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _looks_like(image: Image.Image | None, small: Image.Image) -> bool:
    if image is None:
        return False
    shrunk = image.convert("L").resize(small.size, Image.Resampling.BOX)
    difference = np.abs(np.asarray(shrunk, np.float32) - np.asarray(small, np.float32))
    return float(difference.mean()) <= _ALIKE


def _drawn(page: pypdfium2.PdfPage, dpi: int) -> PageImage:
    width, height = page.get_size()
    if not (width > 0 and height > 0):
        raise PdfPageUnreadable("the page has no size")
    scale = min(dpi / _POINTS, math.sqrt(_MOST_PIXELS / (width * height)))
    return PageImage(pixels=_render(page, scale, (0, 0, 0, 0)), dpi=scale * _POINTS)


def _render(page: pypdfium2.PdfPage, scale: float, crop: Any) -> Image.Image:
    bitmap = page.render(scale=scale, crop=crop, rev_byteorder=True, prefer_bgrx=False)
    try:
        pixels: Image.Image = bitmap.to_pil()
        return pixels.copy() if pixels.mode == "RGB" else pixels.convert("RGB")
    finally:
        bitmap.close()


def _bilevel(pixels: Image.Image) -> Image.Image:
    """A grey image of black and white alone as one bit a pixel, colour without colour as grey."""
    if pixels.mode == "RGB":
        array = np.asarray(pixels)
        if np.array_equal(array[..., 0], array[..., 1]) and np.array_equal(array[..., 1], array[..., 2]):
            pixels = Image.fromarray(np.ascontiguousarray(array[..., 0]))
    if pixels.mode == "L" and not np.any(np.asarray(pixels.histogram()[1:255])):
        return pixels.point(lambda value: value, "1")
    return pixels
