"""The searchable PDF: opened, searched and rendered by two readers of others."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pypdf
import pypdfium2
import pytest
from attrs import evolve
from click.testing import CliRunner
from PIL import Image

from bec_core import Work
from bec_ocrv1.artifacts import PageText, ReadLine
from bec_ocrv1.cli import ocrv1
from bec_ocrv1.export.pdf import write_pdf
from bec_ocrv1.records import to_parquet

TITLE = "The (Jewel) \\ བོད་"
NAME = "W1-I0001-abcdef"
WIDTH, HEIGHT = 1200, 400
POINT = 72 / 300
TEXT, OTHER = "བཀྲ་ཤིས་བདེ་ལེགས། ༄༅ 𝕏", "རྡོ་རྗེ(\\)<>"


def line(text: str, left: float, top: float, right: float, bottom: float) -> ReadLine:
    middle = (top + bottom) / 2
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return ReadLine(text, 0.9, (0, 0, 1, 1), corners, ((left, middle), (right, middle)))


def page(name: str, *lines: ReadLine, **more: object) -> PageText:
    return evolve(PageText(name, "ff", width=WIDTH, height=HEIGHT, lines=lines), **more)


def image(
    kind: str, *, mode: str = "L", orientation: int = 1, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> bytes:
    """Grey paper, black in its upper left corner as it is stored."""
    plane = np.full((size[1], size[0]), 200, np.uint8)
    plane[:100, :100] = 0
    exif = Image.Exif()
    exif[274] = orientation
    picture = Image.fromarray(plane)
    picture = (
        picture.point(lambda value: 255 * (value > 100)).convert("1")
        if mode == "1"
        else picture.convert(mode)
    )
    file = io.BytesIO()
    picture.save(file, kind, exif=exif)
    return file.getvalue()


def made(folder: Path, pages: list[PageText], images: dict[str, bytes]) -> Path:
    source = folder / "images"
    source.mkdir()
    for name, data in images.items():
        (source / name).write_bytes(data)
    path = folder / "out" / "volume.pdf"
    written, problems = write_pdf(NAME, pages, source, path, "bec-ocrv1 0", Work(TITLE))
    assert (written, problems) == (len(pages), [])
    return path


def plain(text: str) -> str:
    return "".join(text.split())


def texts(path: Path) -> list[tuple[str, str]]:
    """Each page's text as two readers have it."""
    ours = pypdf.PdfReader(path, strict=True)
    with pypdfium2.PdfDocument(path) as theirs:
        return [
            (plain(one.extract_text()), plain(other.get_textpage().get_text_bounded()))
            for one, other in zip(ours.pages, theirs, strict=True)
        ]


def dark(path: Path, number: int = 0) -> tuple[int, int]:
    """Where the black corner's middle is when the page is rendered, in pixels of the image."""
    with pypdfium2.PdfDocument(path) as document:
        plane = np.asarray(document[number].render(scale=1 / POINT).to_pil().convert("L"))
    rows, columns = np.nonzero(plane < 60)
    return round(columns.mean()), round(rows.mean())


def test_two_readers_find_the_texts(tmp_path: Path) -> None:
    pages = [
        page(
            "1.png",
            line(TEXT, 100, 50, 1100, 150),
            line(OTHER, 100, 200, 900, 300),
            line("", 100, 320, 200, 380),
        ),
        page("2.jpg"),
        PageText("3.jpg", None, ok=False, error_stage="x", error_type="X", error_message="y"),
    ]
    path = made(
        tmp_path, pages, {"1.png": image("PNG"), "2.jpg": image("JPEG"), "3.jpg": image("JPEG", mode="RGB")}
    )
    assert texts(path) == [(plain(TEXT + OTHER),) * 2, ("", ""), ("", "")]
    reader = pypdf.PdfReader(path, strict=True)
    assert reader.metadata is not None
    assert (reader.metadata.title, reader.metadata.producer) == (f"{TITLE} ({NAME})", "bec-ocrv1 0")
    assert tuple(map(float, reader.pages[0].mediabox)) == (0, 0, WIDTH * POINT, HEIGHT * POINT)


def test_a_text_stands_where_its_line_stands(tmp_path: Path) -> None:
    path = made(tmp_path, [page("1.png", line(TEXT, 100, 50, 1100, 150))], {"1.png": image("PNG")})
    with pypdfium2.PdfDocument(path) as document:
        text = document[0].get_textpage()
        start, count = text.search(TEXT[:4]).get_next()
        left, bottom, right, top = text.get_rect(text.count_rects(start, count) - 1)
    assert (left, bottom) == pytest.approx((100 * POINT, (HEIGHT - 150) * POINT), abs=1)
    assert right == pytest.approx((100 + 1000 * 4 / len(TEXT)) * POINT, abs=1)
    assert top == pytest.approx((HEIGHT - 50) * POINT, abs=1)


def test_a_slanting_line_slants(tmp_path: Path) -> None:
    way = math.radians(10)
    turn = np.array([[math.cos(way), math.sin(way)], [-math.sin(way), math.cos(way)]])
    straight = line("ཀཁགངཅ", 100, 50, 1000, 120)
    turned = evolve(
        straight,
        polygon=tuple(map(tuple, (np.array(straight.polygon) @ turn).tolist())),
        baseline=tuple(map(tuple, (np.array(straight.baseline) @ turn).tolist())),
    )
    path = made(tmp_path, [page("1.png", turned)], {"1.png": image("PNG")})
    with pypdfium2.PdfDocument(path) as document:
        text = document[0].get_textpage()
        boxes = [text.get_charbox(index) for index in (0, 4)]
    middles = [((left + right) / 2, (bottom + top) / 2) for left, bottom, right, top in boxes]
    slope = (middles[1][1] - middles[0][1]) / (middles[1][0] - middles[0][0])
    assert slope == pytest.approx(-math.tan(way), abs=0.02)  # down the page


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "L"), ("JPEG", "RGB"), ("PNG", "L"), ("PNG", "1"), ("TIFF", "1"), ("JPEG", "CMYK")],
)
def test_every_kind_of_image_is_shown(tmp_path: Path, kind: str, mode: str) -> None:
    path = made(tmp_path, [page("1.png")], {"1.png": image(kind, mode=mode)})
    assert dark(path) == (50, 50)


def test_a_jpeg_is_taken_over_as_it_is(tmp_path: Path) -> None:
    data = image("JPEG", mode="RGB")
    assert data in made(tmp_path, [page("1.jpg")], {"1.jpg": data}).read_bytes()


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (50, 50)), (3, (1150, 350)), (6, (350, 50)), (8, (50, 1150))]
)
def test_a_page_is_upright_and_so_is_its_text(
    tmp_path: Path, orientation: int, corner: tuple[int, int]
) -> None:
    stored = line(TEXT, 0, 0, 100, 100)  # on the black corner, wherever that comes to lie
    path = made(tmp_path, [page("1.jpg", stored)], {"1.jpg": image("JPEG", orientation=orientation)})
    assert dark(path) == corner
    with pypdfium2.PdfDocument(path) as document:
        text, high = document[0].get_textpage(), document[0].get_height()
        left, bottom, right, top = text.get_charbox(len(TEXT) // 2)
    found = (left + right) / 2 / POINT, (high - (bottom + top) / 2) / POINT
    assert found == pytest.approx(corner, abs=12)


def test_quarter_turns_are_honoured(tmp_path: Path) -> None:
    path = made(tmp_path, [page("1.png", quarter_turns=1)], {"1.png": image("PNG")})
    assert dark(path) == (50, WIDTH - 50)


def test_more_characters_than_one_font_holds(tmp_path: Path) -> None:
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 600)))
    path = made(tmp_path, [page("1.png", line(many, 0, 0, 1200, 100))], {"1.png": image("PNG")})
    assert texts(path) == [(many, many)]


def test_pages_that_cannot_be_shown_are_left_out_and_said(tmp_path: Path) -> None:
    source = tmp_path / "scans"
    source.mkdir()
    for name, data in {
        "1.png": image("PNG"),
        "2.png": b"no image",
        "3.png": image("PNG", size=(300, 300)),
    }.items():
        (source / name).write_bytes(data)
    parquet = tmp_path / f"{NAME}.parquet"
    parquet.write_bytes(
        to_parquet([page(f"{number}.png", line(TEXT, 0, 0, 900, 90)) for number in (1, 2, 3)])
    )
    arguments = [
        "export",
        "--format",
        "pdf",
        str(parquet),
        "--images",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    result = CliRunner().invoke(ocrv1, arguments, standalone_mode=False)
    assert result.return_value == 6
    assert f"{NAME}: 1 pages\n" in result.output
    assert f"{NAME}, 2.png: not an image" in result.output
    assert f"{NAME}, 3.png: the image is 300 × 300 px, the recorded one was 1200 × 400 px" in result.output
    assert texts(tmp_path / "out" / f"{NAME}.pdf") == [(plain(TEXT),) * 2]


def test_a_volume_without_pages_is_no_file(tmp_path: Path) -> None:
    assert not made(tmp_path, [], {}).exists()


@pytest.mark.parametrize("arguments", [["--format", "pdf"], ["--format", "txt", "--images", "."]])
def test_pdf_and_images_go_together(arguments: list[str]) -> None:
    result = CliRunner().invoke(ocrv1, ["export", *arguments, "x", "--out", "y"])
    assert result.exit_code == 2
    assert "go together" in result.output
