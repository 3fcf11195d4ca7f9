"""Files whose data end early or hold a hole: refused where the file is cut off, flagged where it only lies."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bec_ldv1.errors import PageProblem
from bec_ldv1.page import decode as decode_module
from bec_ldv1.page.decode import decode
from bec_ldv1.page.flags import Flag
from support.sample_pages import BOOK, PECHA, sample

PAGE = Image.fromarray(sample(PECHA)[0][:235, :1100])
INCOMPLETE = {Flag.INCOMPLETE}
SEQUENTIAL: list[dict[str, Any]] = [
    {}, {"optimize": True}, {"restart_marker_rows": 1}, {"subsampling": 0}, {"quality": 30},
]  # fmt: skip
PROGRESSIVE = {"progressive": True}
MODES = ["L", "RGB", "CMYK"]
END = b"\xff\xd9"


def jpeg(image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("options", SEQUENTIAL)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_an_end_in_the_middle_is_flagged(mode: str, options: dict[str, Any], part: float) -> None:
    data = jpeg(PAGE.convert(mode), **options)
    at = int(len(data) * part)
    assert decode(data[:at] + END + data[at:]).flags == INCOMPLETE
    assert decode(data[:at] + END).flags == INCOMPLETE


def test_an_end_between_two_restarts_is_flagged() -> None:
    data = jpeg(PAGE, restart_marker_rows=1)
    at = data.index(b"\xff\xd3")
    assert decode(data[:at] + END + data[at:]).flags == INCOMPLETE


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("part", [0.2, 0.5])
def test_a_progressive_file_that_lacks_scans_is_flagged(mode: str, part: float) -> None:
    data = jpeg(PAGE.convert(mode), **PROGRESSIVE)
    at = int(len(data) * part)
    assert decode(data[:at] + END + data[at:]).flags == INCOMPLETE


@pytest.mark.parametrize("options", [*SEQUENTIAL, PROGRESSIVE])
@pytest.mark.parametrize("mode", MODES)
def test_lost_sectors_are_flagged(mode: str, options: dict[str, Any]) -> None:
    data = jpeg(PAGE.convert(mode), **options)
    at = len(data) // 2 // 512 * 512
    assert decode(data[:at] + bytes(1024) + data[at + 1024 :]).flags == INCOMPLETE


def test_any_run_of_zeros_is_a_hole_where_zero_bits_are_no_flat_blocks() -> None:
    data = jpeg(PAGE)
    at = len(data) // 2 // 512 * 512 + 77
    assert decode(data[:at] + bytes(200) + data[at + 200 :]).flags == INCOMPLETE


@pytest.mark.parametrize("options", [*SEQUENTIAL, PROGRESSIVE, {"optimize": True, "quality": 20}])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("colour", [None, "white", "black", (128, 128, 128), (127, 127, 127), (200, 30, 30)])
def test_whole_pictures_are_not_flagged(mode: str, options: dict[str, Any], colour: Any) -> None:
    image = PAGE if colour is None else Image.new("RGB", (700, 403), colour)
    data = jpeg(image.convert(mode), **options)
    page = decode(data)
    assert not page.flags
    for behind in (bytes(5000), bytes(5000) + b"\n", b"more\xff\xd8\xff" * 99):
        assert not decode(data + behind).flags


@pytest.mark.parametrize("options", [*SEQUENTIAL, PROGRESSIVE])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("grey", [False, True])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(
    mode: str, options: dict[str, Any], grey: bool
) -> None:
    image = Image.new("RGB", (300, 203), (128, 128, 128)) if grey else PAGE
    data = jpeg(image.convert(mode), **options)
    for cut in (data[:-2], data[:-1]):
        page = decode(cut)
        np.testing.assert_array_equal(page.plane, decode(data).plane)
        assert not page.flags


@pytest.mark.parametrize("options", [*SEQUENTIAL, PROGRESSIVE])
@pytest.mark.parametrize("lost", [8, 100, 5000])
def test_a_jpeg_that_lacks_more_is_truncated(options: dict[str, Any], lost: int) -> None:
    with pytest.raises(PageProblem, match="truncated") as caught:
        decode(jpeg(PAGE, **options)[:-lost])
    assert caught.value.error_type == "DamagedImage"


def test_a_jpeg_filled_up_with_zeros_is_truncated() -> None:
    data = jpeg(PAGE)
    half = len(data) // 2
    with pytest.raises(PageProblem, match="truncated"):
        decode(data[:half] + bytes(len(data) - half))


def test_ordinary_pages_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "_stored_jpeg", lambda _: pytest.fail("decoded twice"))
    for options in ({}, PROGRESSIVE):
        decode(jpeg(PAGE, **options))


@pytest.mark.parametrize("compression", ["group4", "group3", "tiff_ccitt"])
def test_lost_sectors_of_a_fax_are_flagged(compression: str) -> None:
    out = io.BytesIO()
    Image.fromarray(sample(BOOK)[0]).convert("1").save(out, "TIFF", compression=compression)
    data = out.getvalue()
    at = len(data) // 2
    assert decode(data[:at] + bytes(512) + data[at + 512 :]).flags == INCOMPLETE
    assert not decode(data).flags
