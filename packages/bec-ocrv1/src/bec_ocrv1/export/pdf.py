"""A searchable PDF of a volume: the pages' pictures, and behind them the text where it stands."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bec_core import PageError, Work
from bec_ldv1.artifacts import PageImage, decode_page, to_upright
from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.image_folders import images_of
from bec_ocrv1.artifacts import PageText, Point, ReadLine
from bec_ocrv1.export.pdf_file import PdfFile, text_string
from bec_ocrv1.export.pdf_text import HiddenFonts, PlacedText

_POINT = 72 / 300  # of a pixel: pages are taken to be scanned at 300 dpi
_QUALITY = 75


def write_pdf(
    name: str, pages: Sequence[PageText], images: Path, path: Path, creator: str, work: Work
) -> tuple[int, list[str]]:
    """Write a volume as one file; none if it has no page that can be shown.

    JPEG images that need no turning are taken over as they are; what has two values stays so; the rest becomes grey
    JPEG. Pages without text, and pages that failed, are pictures alone.

    Args:
        name: the volume's.
        pages: in reading order.
        images: the folder with the pages' images, at any depth.
        path: the file; what is there is replaced.
        creator: the program and its version.
        work: its title is the file's, with the volume's name.

    Returns:
        How many pages it has, and a sentence for each page that is left out.

    Raises:
        ExportError: no folder below ``images`` holds the volume's pages, or several do.
        OSError: the file can't be written.
    """
    source = images_of(name, [page.image for page in pages], images) if pages else None
    path.parent.mkdir(parents=True, exist_ok=True)
    problems = []
    with path.open("wb") as stream:
        file = PdfFile(stream)
        tree, fonts, leaves = file.reserve(), HiddenFonts(file), []
        for page in pages:
            assert source is not None
            try:
                leaves.append(_page(file, tree, fonts, page, source.read(page.image)))
            except (PageError, ExportError, OSError) as error:
                problems.append(f"{name}, {page.image}: {error}")
        fonts.finish()
        kids = " ".join(f"{leaf} 0 R" for leaf in leaves)
        file.put(tree, f"<< /Type /Pages /Count {len(leaves)} /Kids [{kids}] >>")
        catalog = file.add(f"<< /Type /Catalog /Pages {tree} 0 R >>")
        title = name if work.title is None else f"{work.title} ({name})"
        said = f"<< /Title {text_string(title)} /Producer {text_string(creator)} >>"
        file.finish(catalog, file.add(said))
    if not leaves:
        path.unlink()  # no reader opens a PDF without a page
    return len(leaves), problems


def _page(file: PdfFile, tree: int, fonts: HiddenFonts, page: PageText, data: bytes) -> int:
    """Write a page; its number. Everything that can fail is done before anything is written."""
    image = decode_page(data, page.quarter_turns)
    if page.width is not None and (page.width, page.height) != image.stored_size:
        raise ExportError(
            f"the image is {image.stored_size[0]} × {image.stored_size[1]} px, the recorded one was "
            f"{page.width} × {page.height} px"
        )
    packed, entries, is_packed = _picture(data, image)
    wide, high = image.width * _POINT, image.height * _POINT
    hidden = fonts.show([placed for line in page.lines if (placed := _placed(line, image)) is not None])
    size = f"/Width {image.width} /Height {image.height}"
    picture = file.add_stream(packed, f"/Type /XObject /Subtype /Image {size} {entries}", packed=is_packed)
    shown = f"q {wide:.3f} 0 0 {high:.3f} 0 0 cm /Page Do Q ".encode("ascii")
    content = file.add_stream(shown + hidden)
    return file.add(
        f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {wide:.3f} {high:.3f}] /Contents {content} 0 R "
        f"/Resources << /XObject << /Page {picture} 0 R >> /Font {fonts.number} 0 R >> >>"
    )


def _picture(data: bytes, image: PageImage) -> tuple[bytes, str, bool]:
    """The picture's bytes, what its dictionary says of them, and whether they are compressed already."""
    if image.bilevel:
        return (
            np.packbits(image.plane > 127, axis=1).tobytes(),
            "/ColorSpace /DeviceGray /BitsPerComponent 1",
            False,
        )
    if image.orientation == 1:
        with Image.open(io.BytesIO(data)) as stored:
            if stored.format == "JPEG" and stored.mode in ("L", "RGB"):
                space = "Gray" if stored.mode == "L" else "RGB"
                return data, f"/ColorSpace /Device{space} /BitsPerComponent 8 /Filter /DCTDecode", True
    sink = io.BytesIO()
    Image.fromarray(image.plane).save(sink, "JPEG", quality=_QUALITY)
    return sink.getvalue(), "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode", True


def _placed(line: ReadLine, image: PageImage) -> PlacedText | None:
    """A line along the straight way from its beginning to its end; None where its place is not recorded."""
    if len(line.polygon) < 3 or len(line.baseline) < 2:
        return None
    begin, end = to_upright([line.baseline[0], line.baseline[-1]], image).tolist()
    angle = math.atan2(begin[1] - end[1], end[0] - begin[0])  # a picture's rows count downwards
    along, across = zip(
        *(_turned(point, begin, angle) for point in to_upright(line.polygon, image).tolist()), strict=True
    )
    left, low = min(along), min(across)
    x = begin[0] + left * math.cos(angle) - low * math.sin(angle)
    y = image.height - begin[1] + left * math.sin(angle) + low * math.cos(angle)
    return PlacedText(
        text=line.text,
        start=(x * _POINT, y * _POINT),
        length=(max(along) - left) * _POINT,
        height=(max(across) - low) * _POINT,
        angle=angle,
    )


def _turned(point: Point, origin: Point, angle: float) -> Point:
    """How far a point lies along a direction, and to its upper side."""
    x, y = point[0] - origin[0], origin[1] - point[1]
    return x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
