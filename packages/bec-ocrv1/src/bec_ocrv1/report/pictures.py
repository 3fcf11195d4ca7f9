"""A page's bytes as the report's files: its picture, and an image of each line as the engine saw it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attrs import frozen
from PIL import Image

from bec_core import PageData
from bec_ldv1.artifacts import PageImage, PageProblem, cut_line, decode_page, to_upright
from bec_ocrv1.artifacts import PageText, Point, ReadLine
from bec_ocrv1.identity import same_image

_VIEW_AREA, _VIEW_SIDE = 1_700_000, 2_400  # px; a leaf is wide, a book's page high
_CROP_BOX = (1_600, 110)
_QUALITY = 80


class ChangedImage(ValueError):
    """The image is not the one that was read."""


@frozen(eq=False)
class _Shape:
    """A line as `cut_line` takes it."""

    polygon: npt.NDArray[np.float32]
    baseline: npt.NDArray[np.float32]


def open_image(page: PageText, data: PageData) -> PageImage:
    """The page's image, upright.

    Raises:
        ChangedImage: it is not the one that was read.
        PageProblem: it can't be decoded.
    """
    if not same_image(page.source_etag, data.etag):
        raise ChangedImage("the image has changed since it was read")
    image = decode_page(data.data, page.quarter_turns)
    if page.width is not None and (page.width, page.height) != image.stored_size:
        raise ChangedImage("the image has another size than the one that was read")
    return image


def save_picture(image: PageImage, path: Path) -> tuple[int, int]:
    """Write the page's picture, a JPEG; its width and height."""
    scale = min(1.0, math.sqrt(_VIEW_AREA / (image.width * image.height)))
    scale = min(scale, _VIEW_SIDE / max(image.width, image.height))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    picture = Image.fromarray(image.plane)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    picture.save(path, "JPEG", quality=_QUALITY)
    return size


def save_line(image: PageImage, page: PageText, line: ReadLine, path: Path) -> tuple[int, int] | None:
    """Write a line's image, a JPEG; its width and height, or None where the line's place is not recorded."""
    if len(line.polygon) < 3 or len(line.baseline) < 2:
        return None
    shape = _Shape(np.array(line.polygon, np.float32), np.array(line.baseline, np.float32))
    try:
        picture = Image.fromarray(cut_line(image, page, shape))
    except PageProblem:
        return None  # nothing that could be shown; the text stands without its image
    picture.thumbnail(_CROP_BOX, Image.Resampling.LANCZOS)
    picture.save(path, "JPEG", quality=_QUALITY)
    return picture.size


def on_picture(
    points: tuple[Point, ...], image: PageImage, size: tuple[int, int]
) -> tuple[tuple[int, int], ...]:
    """Points of the stored image on the upright picture, whole pixels."""
    across, down = size[0] / image.width, size[1] / image.height
    return tuple((round(x * across), round(y * down)) for x, y in to_upright(list(points), image).tolist())
