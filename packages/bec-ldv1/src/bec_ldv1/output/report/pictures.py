"""A page's bytes as two JPEGs for the report: a thumbnail and a larger picture, in colour where the page is."""

from __future__ import annotations

import io
import math
from pathlib import Path

import attrs
import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from bec_ldv1.artifacts.image import decode_page
from bec_ldv1.page.decode import PageImage, Plane
from bec_ldv1.page.flags import Flag
from bec_ldv1.page.orientation import turned

VIEW_AREA = 1_700_000
VIEW_SIDE = 2_600
"""The larger picture has at most so many pixels, and so many along a side: a leaf is wide, a book's page high."""

THUMB_BOX = (760, 380)
"""The thumbnail fits into this box, width and height."""

_COLOUR_PIXELS = 80_000_000  # above it a page is shown grey: in colour it would take a gigabyte
_BITS = 258  # TIFF's tag of bits per sample
_GREY_MODES = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_INK_WIDTH = 1_400
_VIEW_QUALITY = 82
_THUMB_QUALITY = 76


@attrs.frozen
class Picture:
    """What was learnt while a page's pictures were made.

    Attributes:
        width, height: of the stored raster (what the records' coordinates mean), before it was turned.
        orientation: what brought it upright, as EXIF has it, 1 to 8: the file's orientation, then the quarter turns.
        view_width, view_height: of the larger picture, which is upright.
        ink: share of dark strokes, 0 to 1.
    """

    width: int
    height: int
    orientation: int
    view_width: int
    view_height: int
    ink: float


def view_size(width: int, height: int) -> tuple[int, int]:
    """The larger picture's size for an upright page; a page is never enlarged."""
    scale = min(1.0, math.sqrt(VIEW_AREA / (width * height)), VIEW_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def make_pictures(data: bytes, view_path: Path, thumb_path: Path, quarter_turns: int = 0) -> Picture:
    """Write both pictures of a page, upright; what was learnt on the way.

    Args:
        data: the image file.
        view_path, thumb_path: where the pictures go.
        quarter_turns: how many, counter-clockwise, bring the page upright after its EXIF orientation.

    Raises:
        PageProblem: the bytes can't be decoded; the message says why.
        OSError: a picture can't be written.
    """
    page = decode_page(data, quarter_turns)
    size = view_size(page.width, page.height)
    view = _colour(data, page, size, quarter_turns) or _shrunk(Image.fromarray(page.plane), size)
    thumb = view.copy()
    thumb.thumbnail(THUMB_BOX, Image.Resampling.LANCZOS)
    view.save(view_path, "JPEG", quality=_VIEW_QUALITY)
    thumb.save(thumb_path, "JPEG", quality=_THUMB_QUALITY)
    return Picture(*page.stored_size, page.orientation, *size, ink_share(page.plane))


def ink_share(plane: Plane) -> float:
    """The share of a grey page that is darker than its surroundings: strokes, not shadows or dark paper.

    Measured by the local threshold that binarizes pages (block 31, C = 15), at most 1,400 px wide; the outer
    twentieth on every side is left out, where scans have edges and rulers.
    """
    height, width = plane.shape
    scale = min(1.0, _INK_WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    threshold = cv2.adaptiveThreshold(small, 1, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY_INV, 31, 15)
    margin_y, margin_x = size[1] // 20, size[0] // 20
    inner = threshold[margin_y : size[1] - margin_y, margin_x : size[0] - margin_x]
    return float(np.mean(inner))


def _colour(data: bytes, page: PageImage, size: tuple[int, int], quarter_turns: int) -> Image.Image | None:
    """The page in colour and upright at ``size``.

    None for a page that has no colours or is too large, and where Pillow alone does not see what `decode` saw: then it
    is shown as it was read, in grey.
    """
    if page.bilevel or page.width * page.height > _COLOUR_PIXELS or Flag.TRANSPARENT in page.flags:
        return None
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode in _GREY_MODES or _is_deep(image):
                return None
            # Pillow turns a TIFF by its orientation while it loads it, and other files not.
            left = turned(1, quarter_turns) if isinstance(image, TiffImageFile) else page.orientation
            stored, whole = (_before(left, *sides) for sides in (size, (page.width, page.height)))
            small = image.draft("RGB", stored) is not None  # libjpeg then shrinks while it decodes
            image.load()
            if not small and image.size != whole:
                return None  # another page of the file: a reduced copy
            if image.has_transparency_data:
                white = Image.new("RGBA", image.size, "white")
                colours = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
            else:
                colours = image.convert("RGB")
    except OSError:
        return None  # its end is missing, which `decode` could do without
    shrunk = _shrunk(colours, stored)
    turn = _TURNS.get(left)
    return shrunk if turn is None else shrunk.transpose(turn)


def _before(orientation: int, width: int, height: int) -> tuple[int, int]:
    """The size of what an orientation makes so large."""
    return (height, width) if orientation >= 5 else (width, height)


def _is_deep(image: Image.Image) -> bool:
    """Whether it is a TIFF of more than 8 bits a sample, of which Pillow mixes up planes."""
    return isinstance(image, TiffImageFile) and max(image.tag_v2.get(_BITS, (1,))) > 8


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How Pillow makes a raster of each EXIF orientation upright."""


def _shrunk(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at ``size``, averaged."""
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
