"""Samples of more than 8 bits become grey by the bits that are in use."""

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from bec_ldv1.errors import PageProblem
from bec_ldv1.page.decode import decode
from bec_ldv1.page.formats.grey import eight_bits
from support.sample_pages import PECHA, sample
from support.tiff_files import DEFLATE, MAX_SAMPLE, ORIENTATION, PHOTOMETRIC, Picture, tiff_file

RNG = np.random.default_rng(3)
PAGE = sample(PECHA)[0][:235, :1100]


def samples(bits: int, shape: tuple[int, ...] = (40, 61)) -> np.ndarray:
    """Samples of so many bits, of which none fits into fewer that are told apart."""
    drawn = RNG.integers(0, 1 << bits, shape).astype(np.uint16)
    drawn.flat[0] = (1 << bits) - 1
    return drawn


def luma(colour: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(colour.astype(np.uint8)).convert("L"))


def deep(plane: np.ndarray, bits: int) -> np.ndarray:
    """An 8-bit plane as samples of more bits."""
    return (plane.astype(np.uint16) << (bits - 8)) | (plane >> (16 - bits) if bits < 16 else plane)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_so_many_bits(bits: int, compression: int, photometric: int, order: str) -> None:
    stored = samples(bits)
    tags = {PHOTOMETRIC: [photometric]}
    page = decode(tiff_file(Picture(stored, bits, compression=compression, rows=7, tags=tags), order=order))
    expected = stored >> (bits - 8)
    np.testing.assert_array_equal(page.plane, expected if photometric == 1 else 255 - expected)
    assert not page.bilevel
    assert not page.flags


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_narrow_samples_in_sixteen_bits_are_scaled(bits: int) -> None:
    plain = tiff_file(Picture(deep(PAGE, bits), 16))
    np.testing.assert_array_equal(decode(plain).plane, PAGE)
    png = io.BytesIO()
    Image.fromarray(deep(PAGE, bits)).save(png, "PNG")
    np.testing.assert_array_equal(decode(png.getvalue()).plane, PAGE)


def test_the_largest_sample_is_believed_as_far_as_it_is_true() -> None:
    dim = deep(PAGE, 12) // 5  # 12 bits, of which a dark page uses ten
    assert dim.max() < 1024
    told = tiff_file(Picture(dim, 16, tags={MAX_SAMPLE: [4095]}))
    np.testing.assert_array_equal(decode(told).plane, dim >> 4)
    lying = tiff_file(Picture(PAGE.astype(np.uint16) << 8, 16, tags={MAX_SAMPLE: [255]}))
    np.testing.assert_array_equal(decode(lying).plane, PAGE)


def test_sixteen_bits_stay_sixteen_where_the_range_is_used() -> None:
    half = deep(PAGE, 16) // 3
    assert half.max() >= 1 << 14
    np.testing.assert_array_equal(decode(tiff_file(Picture(half, 16))).plane, half >> 8)


def test_small_samples_are_paper_where_white_is_zero() -> None:
    noise = RNG.integers(0, 900, (40, 61)).astype(np.uint16)
    assert decode(tiff_file(Picture(noise, 16, tags={PHOTOMETRIC: [0]}))).plane.min() >= 252
    assert eight_bits(noise).min() < 30  # the same samples as light


def test_nothing_but_black_stays_black() -> None:
    assert not decode(tiff_file(Picture(np.zeros((40, 61), np.uint16), 16))).plane.any()


@pytest.mark.parametrize("layout", [{}, {"rows": 7}, {"tile": 16}])
@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("file", [{}, {"order": ">"}, {"big": True}])
@pytest.mark.parametrize("separate", [False, True])
def test_colour_of_sixteen_bits(
    separate: bool, file: dict[str, Any], compression: int, layout: dict[str, int]
) -> None:
    stored = samples(16, (40, 61, 3))
    picture = Picture(stored, 16, separate=separate, compression=compression, **layout)
    page = decode(tiff_file(picture, **file))
    np.testing.assert_array_equal(page.plane, luma(stored >> 8))


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_narrow_colour_in_sixteen_bits_is_scaled(bits: int, separate: bool) -> None:
    stored = samples(bits, (40, 61, 3))
    page = decode(tiff_file(Picture(stored, 16, separate=separate)))
    np.testing.assert_array_equal(page.plane, luma(stored >> (bits - 8)))


def test_narrow_colour_of_a_png_is_scaled() -> None:
    stored = samples(12, (40, 61, 3))
    _, png = cv2.imencode(".png", stored[..., ::-1])
    np.testing.assert_array_equal(decode(png.tobytes()).plane, luma(stored >> 4))


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_colour(bits: int) -> None:
    stored = samples(bits, (40, 61, 3))
    np.testing.assert_array_equal(decode(tiff_file(Picture(stored, bits))).plane, luma(stored >> (bits - 8)))


@pytest.mark.parametrize(
    "picture",
    [
        Picture(samples(12), 12, tags={ORIENTATION: [6]}),
        Picture(samples(12, (40, 61, 3)), 16, tags={ORIENTATION: [6]}),
        Picture(samples(16, (40, 61, 3)), 16, separate=True, tags={ORIENTATION: [6]}),
    ],
)
def test_deep_samples_are_turned_like_others(picture: Picture) -> None:
    page = decode(tiff_file(picture))
    assert (page.orientation, page.stored_size, page.plane.shape) == (6, (61, 40), (61, 40))
    untouched = decode(tiff_file(Picture(picture.samples, picture.bits, picture.separate))).plane
    np.testing.assert_array_equal(page.plane, np.rot90(untouched, -1))


@pytest.mark.parametrize(
    "picture",
    [
        Picture(samples(12, (40, 61, 3)), 12, separate=True),
        Picture(samples(16, (40, 61, 3)), 16, separate=True, tags={PHOTOMETRIC: [8]}),  # CIELAB
        Picture(samples(12), 12, tags={339: [3]}),  # half floats, as it were
        Picture(samples(16), 16, tags={339: [2]}),  # signed
        Picture(samples(16), 16, tags={259: [34712]}),  # JPEG 2000 in a TIFF
        Picture(samples(16), 16, tags={PHOTOMETRIC: [32803]}),  # a camera's colour filter array
    ],
)
def test_what_cannot_be_read_is_not_called_damaged(picture: Picture) -> None:
    with pytest.raises(PageProblem, match="not supported") as caught:
        decode(tiff_file(picture))
    assert caught.value.error_type == "UnsupportedImage"
    assert "damaged" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "picture", [Picture(samples(12), 12), Picture(samples(16, (40, 61, 3)), 16, separate=True)]
)
@pytest.mark.parametrize("part", [0.2, 0.8])
def test_deep_samples_that_end_early_are_damaged(picture: Picture, part: float) -> None:
    whole = tiff_file(picture)
    at = int.from_bytes(whole[4:8], "little")
    missing = at - int(at * part)  # the directory moves down, so that the last strip leads out of the file
    with pytest.raises(PageProblem) as caught:
        decode(whole[:4] + (at - missing).to_bytes(4, "little") + whole[8 : at - missing] + whole[at:])
    assert caught.value.error_type == "DamagedImage"


def test_twelve_bit_jpegs_are_not_supported() -> None:
    file = io.BytesIO()
    Image.fromarray(PAGE).save(file, "JPEG")
    data = bytearray(file.getvalue())
    frame = data.index(b"\xff\xc0")
    data[frame + 4] = 12
    with pytest.raises(PageProblem) as caught:
        decode(bytes(data))
    assert caught.value.error_type == "UnsupportedImage"
    data[frame + 1], data[frame + 4] = 0xC7, 8  # hierarchical
    with pytest.raises(PageProblem) as caught:
        decode(bytes(data))
    assert caught.value.error_type == "UnsupportedImage"


def test_big_endian_bigtiff_is_not_supported() -> None:
    with pytest.raises(PageProblem, match="BigTIFF is not supported"):
        decode(tiff_file(Picture(PAGE), order=">", big=True))
