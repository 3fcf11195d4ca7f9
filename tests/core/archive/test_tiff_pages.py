"""Multi-page TIFFs in a person's own folders: each page is a page, as it was encoded."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, TiffTags

from bec_core import PageError, VolumeRef
from bec_core.archive import LocalFolder, files
from bec_core.archive.paths import page_name, split_page_name
from bec_core.archive.tiff import TiffError, page_directories, page_file


def pixels(number: int, size: tuple[int, int] = (300, 200), mode: str = "L") -> Image.Image:
    generator = np.random.default_rng(number)
    noise = generator.integers(0, 256, (size[1], size[0]), np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (0, 0), 6) * 3).convert(mode)


def multi(images: list[Image.Image], **options: Any) -> bytes:
    file = io.BytesIO()
    images[0].save(file, "TIFF", save_all=True, append_images=images[1:], **options)
    return file.getvalue()


def reading(data: bytes) -> Any:
    return lambda offset, size: data[offset : offset + size]


def parts(data: bytes) -> list[bytes]:
    return [page_file(reading(data), one, max_bytes=1 << 30) for one in page_directories(reading(data))]


def raster(data: bytes, frame: int = 0) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(data)) as image:
        image.seek(frame)
        return np.array(image)


def swapped(data: bytes) -> bytes:
    """A little-endian TIFF of whole tables as a big-endian one (its pieces must be bytes)."""
    out = bytearray(data)
    out[:8] = b"MM" + struct.pack(">HI", 42, struct.unpack_from("<I", data, 4)[0])
    (at,) = struct.unpack_from("<I", data, 4)
    forms = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 7: "B"}
    while at:
        (number,) = struct.unpack_from("<H", data, at)
        struct.pack_into(">H", out, at, number)
        for place in range(at + 2, at + 2 + 12 * number, 12):
            tag, kind, count, value = struct.unpack_from("<HHII", data, place)
            form = f"{count * len(forms[kind])}{forms[kind][0]}"
            struct.pack_into(">HHI", out, place, tag, kind, count)
            if struct.calcsize("<" + form) > 4:
                struct.pack_into(">I", out, place + 8, value)
                struct.pack_into(">" + form, out, value, *struct.unpack_from("<" + form, data, value))
            else:
                struct.pack_into(">" + form, out, place + 8, *struct.unpack_from("<" + form, data, place + 8))
        (following,) = struct.unpack_from("<I", data, at + 2 + 12 * number)
        struct.pack_into(">I", out, at + 2 + 12 * number, following)
        at = following
    return bytes(out)


KINDS = {
    "bare": {},
    "g4": {"mode": "1", "compression": "group4"},
    "lzw": {"compression": "tiff_lzw"},
    "jpeg": {"mode": "RGB", "compression": "jpeg", "quality": 80},
    "deflate": {"compression": "tiff_adobe_deflate"},
    "big": {"big_tiff": True, "compression": "tiff_lzw"},
    "big bare": {"big_tiff": True},
    "strips": {"strip_size": 3000, "compression": "tiff_lzw"},
    "palette": {"mode": "P"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_page_is_a_file_of_its_own_with_the_bytes_as_they_were(kind: str) -> None:
    options = dict(KINDS[kind])
    mode = str(options.pop("mode", "L"))
    data = multi([pixels(n, (300 + 7 * n, 200), mode) for n in range(3)], dpi=(300, 299), **options)
    found = parts(data)
    assert len(found) == 3
    for number, part in enumerate(found):
        with Image.open(io.BytesIO(part)) as image, Image.open(io.BytesIO(data)) as whole:
            assert getattr(image, "n_frames", 1) == 1
            whole.seek(number)
            for tag in (256, 257, 258, 259, 262, 278, 282, 283, 320, 347):
                assert image.tag_v2.get(tag) == whole.tag_v2.get(tag), tag  # type: ignore[attr-defined]
        assert np.array_equal(raster(part), raster(data, number))
        assert len(part) < len(data) / 2
        assert part[:4] == data[:4], "its byte order and kind stay"


@pytest.mark.parametrize("kind", ["bare", "lzw", "strips"])
def test_the_other_byte_order(kind: str) -> None:
    data = multi([pixels(n) for n in range(3)], **KINDS[kind])
    other = swapped(data)
    assert other[:2] == b"MM"
    for number, part in enumerate(parts(other)):
        assert part[:2] == b"MM"
        assert np.array_equal(raster(part), raster(data, number))


def tiled(image: Image.Image, side: int = 64) -> bytes:
    """A TIFF of uncompressed tiles."""
    across, down = -(-image.width // side), -(-image.height // side)
    padded = np.zeros((down * side, across * side), np.uint8)
    padded[: image.height, : image.width] = np.array(image)
    tiles = [
        padded[y * side : (y + 1) * side, x * side : (x + 1) * side].tobytes()
        for y in range(down) for x in range(across)
    ]  # fmt: skip
    number, size, start = len(tiles), side * side, 8
    offsets = start + number * size
    values = [
        (256, 4, 1, image.width), (257, 4, 1, image.height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (322, 4, 1, side), (323, 4, 1, side), (324, 4, number, offsets), (325, 4, number, offsets + 4 * number),
        (330, 4, 1, 4),  # a sub-image somewhere
    ]  # fmt: skip
    table = (
        struct.pack("<H", len(values)) + b"".join(struct.pack("<HHII", *one) for one in values) + b"\0" * 4
    )
    return b"".join([
        b"II", struct.pack("<HI", 42, offsets + 8 * number), *tiles,
        struct.pack(f"<{number}I", *(start + n * size for n in range(number))),
        struct.pack(f"<{number}I", *([size] * number)), table,
    ])  # fmt: skip


def test_tiles_and_no_directories_of_directories() -> None:
    image = pixels(1)
    (part,) = parts(tiled(image))
    assert np.array_equal(raster(part), np.array(image))
    with Image.open(io.BytesIO(part)) as found:
        assert 330 not in found.tag_v2  # type: ignore[attr-defined]


def tagged(kinds: list[dict[int, int]]) -> bytes:
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file, new=True) as writer:
        for number, kind in enumerate(kinds):
            info = TiffImagePlugin.ImageFileDirectory_v2()
            for tag, value in kind.items():
                info.tagtype[tag] = TiffTags.SHORT if tag == 255 else TiffTags.LONG
                info[tag] = value
            pixels(number, (100 + number, 50)).save(writer, "TIFF", tiffinfo=info)  # type: ignore[arg-type]
            writer.newFrame()
    return file.getvalue()


def test_reduced_images_and_masks_are_no_pages() -> None:
    data = tagged([{254: 1}, {}, {254: 4}, {254: 2}, {255: 2}, {255: 3}, {254: 5}])
    assert [raster(part).shape[1] for part in parts(data)] == [101, 103, 105]


def test_chains_that_lead_nowhere_end_there() -> None:
    data = bytearray(multi([pixels(0), pixels(1)]))
    first, second = page_directories(reading(bytes(data)))
    (number,) = struct.unpack_from("<H", data, second)
    end = second + 2 + 12 * number
    for target in (first, second, len(data) - 3, 1 << 31, 3):
        struct.pack_into("<I", data, end, target)
        assert page_directories(reading(bytes(data)))[:2] == [first, second]
    for junk in (b"", b"II", b"II*\0", b"\xff\xd8\xff\xe0" * 9, b"MM\0+\0\x08\0\0" + b"\xff" * 40):
        assert page_directories(reading(junk)) == []


def test_what_a_page_lacks_is_said() -> None:
    data = multi([pixels(0), pixels(1)])
    first, _ = page_directories(reading(data))
    with pytest.raises(TiffError, match=r"the file ends [0-9,]+ bytes before its image data does"):
        page_file(
            reading(data[:3000]) if first < 2000 else reading(data[: first + 200]), first, max_bytes=1 << 20
        )
    with pytest.raises(TiffError, match="larger than a page may be"):
        page_file(reading(data), first, max_bytes=1000)
    no_counts = data.replace(struct.pack("<HH", 279, 4), struct.pack("<HH", 60279, 4), 1)
    with pytest.raises(TiffError, match="does not say how long"):
        page_file(reading(no_counts), first, max_bytes=1 << 30)


def test_names_of_pages() -> None:
    for name, split in {
        "a.tif": ("a.tif", 1), "a.tif#2": ("a.tif", 2), "a#3.TIFF#17": ("a#3.TIFF", 17),
        "a.jpg#2": ("a.jpg#2", 1), "a.tif#1": ("a.tif#1", 1), "a.tif#02": ("a.tif#02", 1), "#2": ("#2", 1),
        "a.tif#0": ("a.tif#0", 1),
    }.items():  # fmt: skip
        assert split_page_name(name) == split
    assert [page_name("a.tif", n) for n in (1, 2)] == ["a.tif", "a.tif#2"]


def test_every_page_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "img2.tif").write_bytes(data := multi([pixels(n, (100 + n, 60)) for n in range(3)]))
    (tmp_path / "img1.tif").write_bytes(one := multi([pixels(9)]))
    (tmp_path / "img3.tif").write_bytes(b"no TIFF at all")
    source = LocalFolder()
    volume = source.resolve(VolumeRef("W1", "I1", tmp_path.as_uri()))
    names = ["img1.tif", "img2.tif", "img2.tif#2", "img2.tif#3", "img3.tif"]
    assert [(page.index, page.filename) for page in volume.pages] == list(enumerate(names))
    read = [source.read_page(volume, page) for page in volume.pages]
    assert read[0].data == one
    assert [raster(page.data).shape[1] for page in read[1:4]] == [100, 101, 102]
    assert np.array_equal(raster(read[3].data), raster(data, 2))
    assert read[4].data == b"no TIFF at all"
    assert len({page.etag for page in read}) == 5
    assert [page.uri.rpartition("/")[2] for page in read] == names
    # what tells after an interruption whether a page is still the same
    assert source.page_etags(volume) == {name: page.etag for name, page in zip(names, read, strict=True)}
    (tmp_path / "img2.tif").unlink()
    assert list(source.page_etags(volume)) == ["img1.tif", "img3.tif"]


def test_what_cannot_be_read_is_an_error_of_that_page(tmp_path: Path) -> None:
    path = tmp_path / "1.tif"
    path.write_bytes(multi([pixels(0), pixels(1)]))
    source = LocalFolder()
    volume = source.resolve(VolumeRef("W1", "I1", tmp_path.as_uri()))
    path.write_bytes(multi([pixels(0)]))
    with pytest.raises(PageError, match=r"1\.tif, page 2: it has 1 pages") as caught:
        source.read_page(volume, volume.pages[1])
    assert (caught.value.stage, caught.value.error_type, caught.value.retryable) == (
        "fetch",
        "TiffError",
        False,
    )
    path.unlink()
    for page in volume.pages:
        with pytest.raises(PageError) as caught:
            source.read_page(volume, page)
        assert (caught.value.error_type, caught.value.retryable) == ("ObjectNotFound", False)


def test_a_folder_s_version_is_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "1.tif").write_bytes(multi([pixels(0), pixels(1)]))
    (tmp_path / "2.jpg").write_bytes(b"x")
    for name in ("1.tif", "2.jpg"):
        os.utime(tmp_path / name, ns=(1_000_000_000, 1_000_000_000))
    size = (tmp_path / "1.tif").stat().st_size
    expected = hashlib.md5(f"1.tif\0{size}\x001000000000\n2.jpg\x001\x001000000000\n".encode()).digest()
    assert LocalFolder().resolve(VolumeRef("W1", "I1", tmp_path.as_uri())).etag == expected


def test_listing_a_folder_takes_few_reads_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (tmp_path / f"{number}.tif").write_bytes(multi([pixels(0, (2000, 1500), "1")], compression="group4"))
    asked: list[int] = []
    real = os.pread
    monkeypatch.setattr(files.os, "pread", lambda *given: asked.append(given[1]) or real(*given))  # type: ignore[func-returns-value]
    ref = VolumeRef("W1", "I1", tmp_path.as_uri())
    LocalFolder().resolve(ref)
    assert len(asked) <= 3 * 20
    assert sum(asked) <= 20 * 6000
    asked.clear()
    LocalFolder().resolve(ref)
    assert asked == [], "a file that did not change is not looked at again"
