"""Which page of a file is read, which way it is turned, and what is said of it: by flags, and in stored coordinates."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bec_core.archive.tiff import page_directories, page_file
from bec_ldv1.page.contours import Postprocess
from bec_ldv1.page.decode import decode, upright
from bec_ldv1.page.detect import detect_page
from bec_ldv1.page.flags import Flag
from bec_ldv1.page.prepare import Preparation
from bec_ldv1.record.make import page_record
from support.sample_pages import BOOK, PECHA, sample
from support.tiff_files import OLD_SUBFILE, ORIENTATION, SUBFILE, Picture, tiff_file

RNG = np.random.default_rng(5)
PAGE = sample(PECHA)[0][:235, :1100]
THUMBNAIL = np.asarray(Image.fromarray(PAGE).resize((160, 34)))
BOOK_PAGE = sample(BOOK)[0]


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


class InkIsLine:
    """Calls every black pixel a line."""

    def __init__(self) -> None:
        self.postprocess = Postprocess()
        self.preparation = Preparation()

    def infer(self, ink: np.ndarray) -> np.ndarray:
        return (ink == 0).astype(np.float32)


# -- pages ------------------------------------------------------------------------------------------------


def test_of_three_pages_the_first_is_read_and_the_others_are_told_of() -> None:
    first = Image.fromarray(BOOK_PAGE).convert("1")
    others = [Image.new("1", (300, 200), 1), Image.new("1", (1240, 1754), 1)]
    page = decode(encoded(first, "TIFF", compression="group4", save_all=True, append_images=others))
    np.testing.assert_array_equal(page.plane, np.asarray(first.convert("L")))
    assert page.flags == {Flag.MORE_PAGES}
    assert not decode(encoded(first, "TIFF", compression="group4")).flags


@pytest.mark.parametrize("tags", [{SUBFILE: [1]}, {SUBFILE: [4]}, {SUBFILE: [5]}, {OLD_SUBFILE: [2]}])
@pytest.mark.parametrize("file", [{}, {"order": ">"}, {"big": True}])
def test_a_reduced_copy_or_a_mask_is_no_page(tags: dict[int, list[int]], file: dict[str, Any]) -> None:
    thumbnail, whole = Picture(THUMBNAIL, tags=tags), Picture(PAGE)
    for pictures in ((thumbnail, whole), (whole, thumbnail), (thumbnail, whole, thumbnail)):
        page = decode(tiff_file(*pictures, **file))
        np.testing.assert_array_equal(page.plane, PAGE)
        assert not page.flags


def test_pages_of_several_are_pages() -> None:
    one, two = Picture(PAGE, tags={SUBFILE: [2]}), Picture(PAGE[:99], tags={SUBFILE: [2], OLD_SUBFILE: [3]})
    page = decode(tiff_file(Picture(THUMBNAIL, tags={SUBFILE: [1]}), two, one))
    assert (page.height, page.flags) == (99, {Flag.MORE_PAGES})


def test_where_all_are_reduced_copies_the_largest_is_the_page() -> None:
    pictures = [Picture(THUMBNAIL, tags={SUBFILE: [1]}), Picture(PAGE, tags={SUBFILE: [1]})]
    for order in (pictures, pictures[::-1]):
        page = decode(tiff_file(*order))
        assert (page.width, page.flags) == (1100, set())


def test_a_thumbnail_of_a_kind_that_nobody_reads_costs_nothing() -> None:
    odd = Picture(THUMBNAIL, tags={SUBFILE: [1], 259: [34712]})
    np.testing.assert_array_equal(decode(tiff_file(odd, Picture(PAGE))).plane, PAGE)


def test_a_chain_of_directories_that_bites_its_tail_is_one_page() -> None:
    data = bytearray(tiff_file(Picture(PAGE)))
    directory = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[directory : directory + 2], "little")
    data[directory + 2 + 12 * entries : directory + 6 + 12 * entries] = data[4:8]
    assert not decode(bytes(data)).flags


def test_a_chain_of_directories_that_leads_nowhere_ends_there() -> None:
    data = bytearray(tiff_file(Picture(PAGE), Picture(PAGE), big=True))
    directory = int.from_bytes(data[8:16], "little")
    entries = int.from_bytes(data[directory : directory + 8], "little")
    data[directory + 8 + 20 * entries : directory + 16 + 20 * entries] = b"\xff" * 8
    page = decode(bytes(data))
    np.testing.assert_array_equal(page.plane, PAGE)
    assert not page.flags


@pytest.mark.parametrize("file", [{}, {"order": ">"}, {"big": True}])
def test_folders_split_files_into_what_counts_as_a_page_here(file: dict[str, Any]) -> None:
    kinds = [{SUBFILE: [1]}, {}, {SUBFILE: [4]}, {SUBFILE: [2]}, {OLD_SUBFILE: [2]}, {OLD_SUBFILE: [3]}]
    pictures = [Picture(PAGE[: 99 + number], tags=tags) for number, tags in enumerate(kinds)]
    data = tiff_file(*pictures, **file)

    def read(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    split = [page_file(read, place, max_bytes=1 << 30) for place in page_directories(read)]
    assert [decode(one).height for one in split] == [100, 102, 104]
    assert not any(decode(one).flags for one in split)
    assert decode(data).height == 100


@pytest.mark.parametrize(
    ("kind", "options"), [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})]
)
def test_of_several_frames_the_first_is_read(kind: str, options: dict[str, Any]) -> None:
    first, second = Image.fromarray(PAGE), Image.fromarray(255 - PAGE)
    page = decode(encoded(first, kind, save_all=True, append_images=[second, first], **options))
    assert np.abs(page.plane.astype(int) - PAGE).max() <= 1
    assert page.flags == {Flag.MORE_PAGES}
    assert not decode(encoded(first, kind, **options)).flags


# -- orientation ------------------------------------------------------------------------------------------

KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "JPEG": ("JPEG", "L", {"quality": 100}),
    "JPEG colour": ("JPEG", "RGB", {"quality": 100, "subsampling": 0}),
    "PNG": ("PNG", "L", {}),
    "PNG 16": ("PNG", "I;16", {}),
    "WebP": ("WEBP", "RGB", {"lossless": True}),
    "TIFF": ("TIFF", "L", {}),
    "TIFF LZW": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "TIFF G4": ("TIFF", "1", {"compression": "group4"}),
    "TIFF JPEG": ("TIFF", "L", {"compression": "jpeg", "quality": 100}),
    "TIFF 16": ("TIFF", "I;16", {}),
    "TIFF CMYK": ("TIFF", "CMYK", {}),
    "TIFF palette": ("TIFF", "P", {}),
    "TIFF alpha": ("TIFF", "RGBA", {}),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_turned_upright_from_the_raster_as_stored(kind: str, orientation: int) -> None:
    name, mode, options = KINDS[kind]
    stored = np.where(PAGE[:120, :301] > 140, 255, 0).astype(np.uint8)
    image = Image.fromarray(stored)
    image = Image.fromarray(stored.astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    if name == "TIFF":
        data = encoded(image, name, tiffinfo={ORIENTATION: orientation}, **options)
    else:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        data = encoded(image, name, exif=exif, **options)
    page = decode(data)
    assert page.orientation == orientation
    assert page.stored_size == (301, 120)
    assert np.abs(page.plane.astype(int) - upright(stored, orientation)).mean() < 1
    assert page.plane.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiffs_lines_are_recorded_where_a_pngs_are(orientation: int) -> None:
    stored = np.full((300, 1100), 255, np.uint8)
    for top in (60, 130, 200):
        stored[top : top + 20, 100 : 700 + top] = 0
    image = Image.fromarray(upright(stored, {6: 8, 8: 6}.get(orientation, orientation)))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    files = (encoded(image, "PNG", exif=exif), encoded(image, "TIFF", tiffinfo={ORIENTATION: orientation}))
    png, tiff = (page_record("1", "", detect_page(file, InkIsLine())) for file in files)
    assert len(tiff.contours) == 3
    for one, other in zip(png.contours, tiff.contours, strict=True):
        np.testing.assert_array_equal(one, other)
    assert png.details is not None
    assert tiff.details is not None
    assert (tiff.details.width, tiff.details.height) == (png.details.width, png.details.height) == image.size


# -- flags ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP"])
def test_what_is_wholly_transparent_is_read_as_if_it_were_not(kind: str) -> None:
    bands = [Image.fromarray(PAGE)] * 3
    hidden = Image.merge("RGBA", [*bands, Image.new("L", bands[0].size, 0)])
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    page = decode(encoded(hidden, kind, **options))
    np.testing.assert_array_equal(page.plane, PAGE)
    assert page.flags == {Flag.TRANSPARENT}
    hidden.putpixel((3, 3), (9, 9, 9, 1))
    page = decode(encoded(hidden, kind, **options))
    assert page.plane.min() > 200
    assert not page.flags


def test_a_palette_without_a_visible_colour() -> None:
    image = Image.fromarray(PAGE // 64, "P")
    image.putpalette([0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255])
    page = decode(encoded(image, "PNG", transparency=bytes(4)))
    np.testing.assert_array_equal(page.plane, PAGE // 64 * 85)
    assert page.flags == {Flag.TRANSPARENT}


def test_a_files_flags_reach_the_record() -> None:
    frames = tiff_file(Picture(PAGE), Picture(PAGE))
    details = page_record("1", "", detect_page(frames, InkIsLine())).details
    assert details is not None
    assert Flag.MORE_PAGES in details.flags
