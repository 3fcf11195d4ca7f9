import gc
import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from bec_ldv1.errors import PageProblem
from bec_ldv1.page import decode as decode_module
from bec_ldv1.page.decode import decode, upright
from bec_ldv1.page.formats.grey import _samples

RNG = np.random.default_rng(7)
GREY = np.linspace(0, 255, 40 * 60).reshape(40, 60).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
BLACK_AND_WHITE = np.where(RNG.random((40, 60)) > 0.3, 255, 0).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def luma(colour: np.ndarray) -> np.ndarray:
    return np.rint(colour @ np.array([0.299, 0.587, 0.114]))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "JPEG2000"])
def test_lossless_grey_is_exact(kind: str) -> None:
    page = decode(encoded(Image.fromarray(GREY), kind))
    np.testing.assert_array_equal(page.plane, GREY)
    assert not page.bilevel
    assert (page.width, page.height, page.orientation) == (60, 40, 1)


def test_colour_becomes_luma() -> None:
    for kind, options in (("PNG", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})):
        page = decode(encoded(Image.fromarray(COLOUR), kind, **options))
        assert np.abs(page.plane - luma(COLOUR)).max() <= 1


@pytest.mark.parametrize("progressive", [False, True])
def test_colour_jpeg_gives_its_own_luma(progressive: bool) -> None:
    data = encoded(Image.fromarray(COLOUR), "JPEG", quality=95, progressive=progressive)
    independent = np.asarray(Image.open(io.BytesIO(data)).convert("YCbCr"))[:, :, 0]
    plane = decode(data).plane
    assert np.abs(plane.astype(int) - independent).mean() < 1
    assert np.abs(plane.astype(int) - luma(COLOUR)).mean() < 12


def test_cmyk_jpeg() -> None:
    paper = np.zeros((40, 60, 4), np.uint8)
    paper[:20, :, 3] = 255  # black ink on the upper half
    plane = decode(encoded(Image.fromarray(paper, "CMYK"), "JPEG", quality=95)).plane
    assert plane[:15].max() < 10
    assert plane[25:].min() > 245


@pytest.mark.parametrize("compression", ["raw", "group4", "tiff_lzw"])
def test_one_bit_tiff_is_bilevel(compression: str) -> None:
    image = Image.fromarray(BLACK_AND_WHITE).convert("1")
    page = decode(encoded(image, "TIFF", compression=compression))
    np.testing.assert_array_equal(page.plane, BLACK_AND_WHITE)
    assert page.bilevel


def test_white_is_zero_tiff_is_not_inverted() -> None:
    image = Image.fromarray(BLACK_AND_WHITE).convert("1")
    page = decode(encoded(image, "TIFF", compression="group4", tiffinfo={262: 0}))
    np.testing.assert_array_equal(page.plane, BLACK_AND_WHITE)


def test_eight_bit_black_and_white_counts_as_bilevel_unless_jpeg() -> None:
    image = Image.fromarray(BLACK_AND_WHITE)
    assert decode(encoded(image, "PNG")).bilevel
    assert decode(encoded(image.convert("P"), "PNG")).bilevel
    assert not decode(encoded(image, "JPEG", quality=100)).bilevel
    assert not decode(encoded(Image.new("L", (60, 40), 255), "PNG")).bilevel
    one_grey_pixel = BLACK_AND_WHITE.copy()
    one_grey_pixel[37, 59] = 128
    assert not decode(encoded(Image.fromarray(one_grey_pixel), "PNG")).bilevel


def test_sixteen_bits_keep_their_high_byte() -> None:
    deep = RNG.integers(0, 65536, (40, 60), dtype=np.uint16)
    for data in (encoded(Image.fromarray(deep), "PNG"), encoded(Image.fromarray(deep), "TIFF")):
        np.testing.assert_array_equal(decode(data).plane, deep >> 8)


def test_sixteen_bit_white_is_zero() -> None:
    deep = RNG.integers(0, 65536, (40, 60), dtype=np.uint16)
    data = bytearray(encoded(Image.fromarray(deep), "TIFF"))
    entry = data.index(struct.pack("<HHIHH", 262, 3, 1, 1, 0))
    data[entry + 8] = 0  # PhotometricInterpretation: WhiteIsZero
    np.testing.assert_array_equal(decode(bytes(data)).plane, (65535 - deep) >> 8)


def test_thirty_two_bits_are_a_page_problem() -> None:
    with pytest.raises(PageProblem, match="32-bit samples"):
        decode(encoded(Image.fromarray(GREY.astype(np.float32)), "TIFF"))


def test_palette() -> None:
    image = Image.fromarray(COLOUR).quantize(16)
    expected = luma(np.asarray(image.convert("RGB")))
    assert np.abs(decode(encoded(image, "PNG")).plane - expected).max() <= 1
    assert np.abs(decode(encoded(image, "GIF")).plane - expected).max() <= 1


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:20] = 0
    alpha[20:30] = 128
    image = Image.merge(mode, [*([Image.new("L", (60, 40), 100)] * (len(mode) - 1)), Image.fromarray(alpha)])
    plane = decode(encoded(image, "PNG")).plane
    assert plane[:20].min() == 255
    assert abs(int(plane[25, 5]) - 177) <= 1
    assert (plane[30:] == 100).all()


def test_transparent_palette_colour() -> None:
    image = Image.fromarray(np.repeat(np.uint8([[0], [1]]), 5, axis=1), "P")
    image.putpalette([10, 10, 10, 200, 200, 200])
    plane = decode(encoded(image, "PNG", transparency=0)).plane
    assert plane[:, 0].tolist() == [255, 200]


def test_first_frame_of_a_multi_page_tiff() -> None:
    first, second = Image.fromarray(GREY), Image.fromarray(255 - GREY[:10])
    data = encoded(first, "TIFF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(decode(data).plane, GREY)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_page_upright(orientation: int) -> None:
    stored = Image.fromarray(GREY)
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(stored, "PNG", exif=exif)
    page = decode(data)
    assert page.orientation == orientation
    np.testing.assert_array_equal(
        page.plane, np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    )
    np.testing.assert_array_equal(upright(GREY, orientation), page.plane)


def test_nonsense_orientation_is_ignored() -> None:
    exif = Image.Exif()
    exif[274] = 99
    assert decode(encoded(Image.fromarray(GREY), "JPEG", exif=exif)).orientation == 1


def test_damaged_exif_costs_no_page() -> None:
    exif = Image.Exif()
    exif[274] = 6
    data = encoded(Image.fromarray(GREY), "JPEG", exif=exif)
    damaged = data.replace(b"Exif\0\0MM\0*", b"Exif\0\0MM??").replace(b"Exif\0\0II*\0", b"Exif\0\0II??")
    assert damaged != data
    assert decode(damaged).orientation == 1


def photo() -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (300, 400, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGB", {}),
        ("TIFF", "1", {"compression": "group4"}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "RGB", {"compression": "raw"}),
        ("TIFF", "RGB", {"compression": "jpeg"}),
        ("JPEG2000", "RGB", {}),
        ("GIF", "P", {}),
        ("BMP", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}),
    ],
)
def test_truncated_data_is_a_page_problem(kind: str, mode: str, options: dict[str, object]) -> None:
    data = encoded(photo().convert(mode), kind, **options)
    assert decode(data).width == 400
    for part in (0.1, 0.5, 0.97):
        with pytest.raises(PageProblem) as caught:
            decode(data[: int(len(data) * part)])
        assert caught.value.stage == "decode"
        assert not caught.value.retryable


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8\xff", b"II*\0", b"<html>not found</html>", b"\x89PNG\r\n\x1a\n"]
)
def test_no_image_is_a_page_problem(data: bytes) -> None:
    with pytest.raises(PageProblem) as caught:
        decode(data)
    assert caught.value.stage == "decode"


def test_too_many_pixels_are_refused_from_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = encoded(Image.new("1", (30_000, 30_000)), "TIFF", compression="group4")
    monkeypatch.setattr(decode_module, "grey", lambda image, *_, **__: pytest.fail("decoded"))
    with pytest.raises(PageProblem, match="too large: 30000 × 30000"):
        decode(bomb)


def test_sides_beyond_int16_are_refused() -> None:
    with pytest.raises(PageProblem, match="too large: 32768 × 2"):
        decode(encoded(Image.new("L", (32_768, 2)), "PNG"))


def test_out_of_memory_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_module, "grey", exhausted)
    with pytest.raises(PageProblem) as caught:
        decode(encoded(Image.fromarray(GREY), "PNG"))
    assert caught.value.retryable


@pytest.mark.parametrize("block", [1 << 30, 1 << 12])
@pytest.mark.parametrize("mode", ["1", "L"])
def test_the_samples_are_pillows_in_one_piece_or_in_several(mode: str, block: int) -> None:
    before = Image.core.get_block_size()
    wanted = np.random.default_rng(2).integers(0, 2, (300, 701)).astype(np.uint8) * 255
    data = encoded(
        Image.fromarray(wanted).convert(mode), "TIFF", compression="group4" if mode == "1" else "raw"
    )
    Image.core.set_block_size(block)
    try:
        plane = decode(data).plane
    finally:
        Image.core.set_block_size(before)
    gc.collect()  # the image that the samples belong to must stay
    assert np.array_equal(plane, wanted)
    assert plane.dtype == np.uint8


def test_a_page_of_more_than_16_mebibytes_lies_in_one_piece() -> None:
    """Otherwise its samples are copied twice, half of it under the interpreter's lock."""
    image = Image.new("L", (5000, 5000), 7)
    assert not _samples(image).flags.owndata
    assert not _samples(image).flags.writeable
    assert (_samples(image) == 7).all()
