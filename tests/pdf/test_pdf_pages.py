"""A PDF's pages: the image that a page is, as it is stored; else its pixels; else the page as it is drawn."""

from __future__ import annotations

import io
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageDraw

from bec_core import ManifestInvalid, ManifestMissing, PageError, SettingsError, VolumeRef
from bec_core.errors import InvalidMessage
from bec_pdf import document
from bec_pdf.source import PdfSource

A5 = (420.0, 595.0)


def leaf(mode: str = "L", size: tuple[int, int] = (700, 1000)) -> Image.Image:
    """A page that looks another way from each side."""
    image = Image.new("L", size, 230)
    draw = ImageDraw.Draw(image)
    for row in range(6):
        draw.rectangle((60, 80 + 120 * row, size[0] - 60 - 70 * row, 120 + 120 * row), fill=40)
    draw.rectangle((60, 850, 200, 960), fill=120)
    return image.convert(mode)


def jpeg(image: Image.Image, **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, **more)
    return file.getvalue()


def pdf(
    *pages: tuple[str, dict[str, tuple[str, bytes]]], box: tuple[float, float] = A5, rotate: int = 0
) -> bytes:
    """A PDF of pages, each a content stream and its images (name: dictionary and data)."""
    out, places = bytearray(b"%PDF-1.7\n"), {}
    numbers = iter(range(3, 1000))

    def put(number: int, body: bytes) -> None:
        places[number] = len(out)
        out.extend(b"%d 0 obj\n" % number + body + b"\nendobj\n")

    def stream(more: str, data: bytes) -> bytes:
        return f"<< /Length {len(data)} {more} >>\nstream\n".encode() + data + b"\nendstream"

    kids = []
    for content, images in pages:
        names = []
        for name, (more, data) in images.items():
            number = next(numbers)
            put(number, stream(f"/Type /XObject /Subtype /Image {more}", data))
            names.append(f"/{name} {number} 0 R")
        body, page = next(numbers), next(numbers)
        put(body, stream("", content.encode()))
        font = "/Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
        put(page, (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {box[0]} {box[1]}] /Rotate {rotate} /Contents {body} 0 R"
            f" /Resources << /XObject << {' '.join(names)} >> {font} >> >>"
        ).encode())  # fmt: skip
        kids.append(f"{page} 0 R")
    put(1, b"<< /Type /Catalog /Pages 2 0 R >>")
    put(2, f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>".encode())
    at = len(out)
    out.extend(b"xref\n0 1\n0000000000 65535 f \n")
    for number in sorted(places):
        out.extend(b"%d 1\n%010d 00000 n \n" % (number, places[number]))
    out.extend(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (max(places) + 1, at))
    return bytes(out)


def image(data: Image.Image, coded: bytes, filters: str, *more: str) -> tuple[str, bytes]:
    space = {"L": "/DeviceGray", "RGB": "/DeviceRGB", "1": "/DeviceGray"}[data.mode]
    bits = 1 if data.mode == "1" else 8
    told = f"/Width {data.width} /Height {data.height} /ColorSpace {space} /BitsPerComponent {bits}"
    return f"{told} /Filter {filters} {' '.join(more)}", coded


FULL = f"q {A5[0]} 0 0 {A5[1]} 0 0 cm /I Do Q"
HIDDEN_TEXT = " BT 3 Tr /F 12 Tf 50 500 Td (hidden) Tj ET"


@pytest.fixture
def source() -> PdfSource:
    return PdfSource(dpi=150)


def read(source: PdfSource, path: Path, data: bytes, number: int = 1) -> bytes:
    path.write_bytes(data)
    (ref,) = source.find(str(path))
    volume = source.resolve(ref)
    return source.read_page(volume, volume.pages[number - 1]).data


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_a_page_that_is_a_jpeg_is_that_jpeg(source: PdfSource, tmp_path: Path) -> None:
    for mode in ("L", "RGB"):
        stored = jpeg(leaf(mode))
        for content in (FULL, FULL + HIDDEN_TEXT, f"q {A5[0] / 2} 0 0 {A5[1] / 2} 30 40 cm /I Do Q"):
            for coded, filters in (
                (stored, "/DCTDecode"),
                (zlib.compress(stored), "[/FlateDecode /DCTDecode]"),
            ):
                made = pdf((content, {"I": image(leaf(mode), coded, filters)}))
                assert read(source, tmp_path / "a.pdf", made) == stored


def test_a_page_that_is_a_jpeg_2000_is_its_bytes(source: PdfSource, tmp_path: Path) -> None:
    file = io.BytesIO()
    leaf("RGB").save(file, "JPEG2000", irreversible=False)
    stored = file.getvalue()
    assert (
        read(source, tmp_path / "a.pdf", pdf((FULL, {"I": image(leaf("RGB"), stored, "/JPXDecode")})))
        == stored
    )


def g4(picture: Image.Image) -> tuple[str, bytes]:
    file = io.BytesIO()
    picture.save(file, "TIFF", compression="group4", strip_size=1 << 24)
    with Image.open(io.BytesIO(file.getvalue())) as found:
        offset, size = found.tag_v2[273][0], found.tag_v2[279][0]  # type: ignore[attr-defined]
        black_is_one = found.tag_v2[262] == 1  # type: ignore[attr-defined]
    said = f"/K -1 /Columns {picture.width} /Rows {picture.height} /BlackIs1 {str(black_is_one).lower()}"
    parms = f"/DecodeParms << {said} >>"
    return image(picture, file.getvalue()[offset : offset + size], "/CCITTFaxDecode", parms)


def test_a_bilevel_page_stays_bilevel_and_keeps_each_pixel(source: PdfSource, tmp_path: Path) -> None:
    picture = leaf("1", (701, 1003))
    found = opened(read(source, tmp_path / "a.pdf", pdf((FULL, {"I": g4(picture)}))))
    assert (found.format, found.mode, found.size) == ("PNG", "1", (701, 1003))
    assert np.array_equal(np.array(found), np.array(picture))


# how an image of the leaf lies on its page: the matrix, in units of the box
TURNS = {
    "upright": (1, 0, 0, 1, 0, 0), "half": (-1, 0, 0, -1, 1, 1), "mirrored": (-1, 0, 0, 1, 1, 0),
    "flipped": (1, 0, 0, -1, 0, 1), "left": (0, 1, -1, 0, 1, 0), "right": (0, -1, 1, 0, 0, 1),
    "transposed": (0, -1, -1, 0, 1, 1), "transversed": (0, 1, 1, 0, 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_image_is_turned_without_sampling(
    source: PdfSource, tmp_path: Path, turn: str, rotate: int
) -> None:
    picture = leaf()
    a, b, c, d, e, f = TURNS[turn]
    box = (500.0, 500.0)
    content = f"q {400 * a} {400 * b} {400 * c} {400 * d} {20 + 400 * e} {60 + 400 * f} cm /I Do Q"
    coded = image(picture, zlib.compress(picture.tobytes()), "/FlateDecode")
    path = tmp_path / "a.pdf"
    found = opened(read(source, path, pdf((content, {"I": coded}), box=box, rotate=rotate)))
    assert sorted(found.size) == [700, 1000], "its own pixels"
    assert sorted(np.unique(np.array(found))) == sorted(np.unique(np.array(picture)))
    file = pypdfium2.PdfDocument(path)
    drawn = file[0].render(scale=2).to_pil().convert("L")
    file.close()
    shown = np.argwhere(np.array(drawn) < 250)
    (top, left), (bottom, right) = shown.min(0), shown.max(0) + 1
    part = drawn.crop((left, top, right, bottom))
    alike = np.array(found.convert("L").resize(part.size, Image.Resampling.BOX), np.float32)
    assert np.abs(alike - np.array(part, np.float32)).mean() < 6


def test_a_jpeg_on_a_turned_page_is_pixels(source: PdfSource, tmp_path: Path) -> None:
    made = pdf((FULL, {"I": image(leaf(), jpeg(leaf()), "/DCTDecode")}), rotate=90)
    found = opened(read(source, tmp_path / "a.pdf", made))
    assert (found.format, found.size) == ("PNG", (1000, 700))


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (FULL + " BT /F 40 Tf 50 300 Td (seen) Tj ET", ()),
        (FULL + " 0 0 1 RG 10 10 m 300 300 l S", ()),
        (FULL + " q 50 0 0 50 0 0 cm /I Do Q", ()),
        (f"q 0.9 0.3 -0.3 0.9 100 0 cm {A5[0] / 2} 0 0 {A5[1] / 2} 0 0 cm /I Do Q", ()),
        (f"q {A5[0] * 2} 0 0 {A5[1] * 2} 0 0 cm /I Do Q", ()),
        ("q 0 0 210 595 re W n " + FULL + " Q", ()),
        (FULL, ("/Decode [1 0]",)),
    ],
    ids=["text", "line", "two images", "askew", "cut off", "clipped", "inverted"],
)  # fmt: skip
def test_what_the_image_alone_does_not_show_is_drawn(
    source: PdfSource, tmp_path: Path, content: str, more: tuple[str, ...]
) -> None:
    stored = jpeg(leaf())
    path = tmp_path / "a.pdf"
    data = read(source, path, pdf((content, {"I": image(leaf(), stored, "/DCTDecode", *more)})))
    assert data != stored
    file = pypdfium2.PdfDocument(path)
    shown = np.array(file[0].render(scale=1).to_pil().convert("L"), np.float32)
    file.close()
    found = opened(data).convert("L").resize(shown.shape[::-1], Image.Resampling.BOX)
    assert np.abs(np.array(found, np.float32) - shown).mean() < 8


def test_an_image_with_a_mask_is_drawn(source: PdfSource, tmp_path: Path) -> None:
    black = Image.new("L", (700, 1000), 0)
    made = pdf((FULL, {
        "M": image(leaf(), zlib.compress(leaf().point(lambda v: 255 - v).tobytes()), "/FlateDecode"),
        "I": image(black, jpeg(black), "/DCTDecode", "/SMask 3 0 R"),
    }))  # fmt: skip
    found = (
        opened(read(source, tmp_path / "a.pdf", made)).convert("L").resize((70, 100), Image.Resampling.BOX)
    )
    assert (
        abs(np.array(found, np.float32) - np.array(leaf().resize((70, 100), Image.Resampling.BOX))).mean() < 8
    )


def test_a_page_without_any_image_is_drawn_at_the_resolution_said(tmp_path: Path) -> None:
    made = pdf(("BT /F 40 Tf 50 300 Td (text) Tj ET", {}))
    for dpi in (72, 150, 300):
        found = opened(read(PdfSource(dpi), tmp_path / "a.pdf", made))
        assert np.abs(np.subtract(found.size, np.multiply(A5, dpi / 72))).max() <= 1
        assert np.array(found.convert("L")).min() < 50
        assert round(found.info["dpi"][0]) == dpi


def test_a_huge_page_is_drawn_with_pixels_that_fit(source: PdfSource, tmp_path: Path) -> None:
    made = pdf(("0 0 m 14000 14000 l S", {}), box=(14000.0, 14000.0))
    found = opened(read(source, tmp_path / "a.pdf", made))
    assert 49_000_000 < found.width * found.height < 51_000_000


def test_the_exif_turn_of_a_stored_image_is_nobody_s(source: PdfSource, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    stored = jpeg(leaf(), exif=exif)
    found = opened(read(source, tmp_path / "a.pdf", pdf((FULL, {"I": image(leaf(), stored, "/DCTDecode")}))))
    assert (found.format, found.size, found.getexif().get(274)) == ("PNG", (700, 1000), None)


# The volume -------------------------------------------------------------------------------------------


def book(pages: int) -> bytes:
    stored = jpeg(leaf())
    return pdf(*[(FULL, {"I": image(leaf(), stored, "/DCTDecode")})] * pages)


def test_a_file_is_a_volume(source: PdfSource, tmp_path: Path) -> None:
    path = tmp_path / "ཀ book %#.pdf"
    path.write_bytes(book(3))
    (ref,) = source.find(str(path))
    assert ref.source == f"pdf:{path.as_uri()}"
    assert source.find(path.as_uri()) == [ref]
    volume = source.resolve(ref)
    assert [page.filename for page in volume.pages] == ["p0001.pdf", "p0002.pdf", "p0003.pdf"]
    read = [source.read_page(volume, page) for page in volume.pages]
    assert len({page.etag for page in read}) == 3
    assert read[1].uri == f"{path.as_uri()}#page=2"
    assert source.resolve(ref) == volume
    assert PdfSource(300).resolve(ref).etag != volume.etag, "drawn otherwise, so another version"
    path.write_bytes(book(4))
    assert source.resolve(ref).etag != volume.etag
    assert len(source.resolve(ref).pages) == 4


@pytest.mark.parametrize("data", [b"", b"no PDF", b"%PDF-1.7\nbroken"])
def test_a_damaged_file_is_told_at_once(source: PdfSource, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pdf").write_bytes(data)
    (ref,) = source.find(str(tmp_path / "a.pdf"))
    with pytest.raises(ManifestInvalid, match=r"a\.pdf: it is damaged, or no PDF"):
        source.resolve(ref)


def test_an_encrypted_file_is_told_at_once(source: PdfSource, tmp_path: Path) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter()
    writer.append(PdfReader(io.BytesIO(book(1))))
    writer.encrypt("secret", algorithm="RC4-128")
    with (tmp_path / "a.pdf").open("wb") as file:
        writer.write(file)
    (ref,) = source.find(str(tmp_path / "a.pdf"))
    with pytest.raises(ManifestInvalid, match="needs a password: save a copy without one"):
        source.resolve(ref)


def test_what_is_not_there(source: PdfSource, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with pytest.raises(SettingsError, match="there is no file"):
        source.find(str(path))
    path.write_bytes(book(1))
    (ref,) = source.find(str(path))
    volume = source.resolve(ref)
    path.unlink()
    with pytest.raises(ManifestMissing, match="there is no file"):
        source.resolve(ref)
    with pytest.raises(PageError) as caught:
        source.read_page(volume, volume.pages[0])
    assert (caught.value.error_type, caught.value.retryable) == ("ObjectNotFound", False)
    for odd in ("pdf", "pdf:a.pdf", "pdf:file://host/a.pdf", "pdf:https://x/a.pdf", "pdf:file:///a.pdf?x"):
        with pytest.raises(InvalidMessage, match="names no PDF file"):
            source.resolve(VolumeRef("W1", "I1", odd))


def test_a_page_that_cannot_be_read_fails_alone(source: PdfSource, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(
        book(2).replace(b"/Type /Page ", b"/Type /Nope ", 1).replace(b"/MediaBox", b"/MediaFox", 1)
    )
    (ref,) = source.find(str(path))
    volume = source.resolve(ref)
    assert source.read_page(volume, volume.pages[-1]).data == jpeg(leaf())
    from bec_core import Page

    with pytest.raises(PageError, match="it has 2 pages") as caught:
        source.read_page(volume, Page(8, "p0009.pdf"))
    assert (caught.value.stage, caught.value.retryable) == ("fetch", False)


def test_many_threads_read_two_files(
    source: PdfSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = []
    for name in ("a.pdf", "b.pdf"):
        (tmp_path / name).write_bytes(book(20))
        volumes.append(source.resolve(source.find(str(tmp_path / name))[0]))
    inside, most = [0], [0]
    real = document._opened

    def opened_once(path: Path) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        try:
            return real(path)
        finally:
            inside[0] -= 1

    monkeypatch.setattr(document, "_opened", opened_once)
    expected = jpeg(leaf())
    threads = threading.active_count()
    with ThreadPoolExecutor(8) as pool:
        jobs = [
            pool.submit(source.read_page, volume, page)
            for pages in zip(*[volume.pages for volume in volumes], strict=True)
            for volume, page in zip(volumes, pages, strict=True)
        ]
        assert all(job.result().data == expected for job in jobs)
    assert most[0] == 1
    assert threading.active_count() < threads + 5


def test_etags_of_pages_are_told_without_reading_them(source: PdfSource, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(*[(FULL, {"I": image(leaf(), jpeg(leaf()), "/DCTDecode")})] * 2))
    (ref,) = source.find(str(path))
    volume = source.resolve(ref)
    read = {page.filename: source.read_page(volume, page).etag for page in volume.pages}
    assert source.page_etags(volume) == read
