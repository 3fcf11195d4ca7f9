"""Line images: bent lines come out straight, upright and whole."""

import json
import math
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bec_ldv1.cli import ldv1
from bec_ldv1.crops import cut_line, cut_page
from bec_ldv1.details import PageDetails
from bec_ldv1.export.pages import ExportError, ExportLine, ExportPage
from bec_ldv1.image_folders import images_of
from bec_ldv1.lines import Line
from bec_ldv1.orientation import to_stored
from bec_ldv1.records import PageRecord, to_parquet

WIDTH, HEIGHT, HALF = 1_400, 500, 24
X = np.linspace(100, 1_300, 41)


def course(degrees: float = 0.0, bow: float = 0.0) -> np.ndarray:
    middle = 250 + (X - 700) * math.tan(math.radians(degrees)) + bow * (1 - ((X - 700) / 600) ** 2)
    return np.column_stack((X, middle))


def outline(points: np.ndarray, half: float = HALF) -> np.ndarray:
    return np.vstack((points - np.array([0, half]), (points + np.array([0, half]))[::-1]))


def drawn(points: np.ndarray, *, beside: bool = False) -> np.ndarray:
    """Grey paper with a stroke 8 px thick along the course, and letters' feet standing square on it."""
    plane = np.full((HEIGHT, WIDTH), 200, np.uint8)
    fine = np.column_stack(
        [np.interp(np.arange(100, 1_300), points[:, 0], points[:, axis]) for axis in (0, 1)]
    )
    cv2.polylines(plane, [np.rint(fine).astype(np.int32)], False, 20, 8, cv2.LINE_AA)
    for at in range(30, 1_170, 60):
        tangent = fine[at + 5] - fine[at - 5]
        down = np.array([-tangent[1], tangent[0]]) / np.hypot(*tangent)
        ends = np.rint([fine[at], fine[at] + 20 * down]).astype(np.int32)
        cv2.line(plane, ends[0].tolist(), ends[1].tolist(), 20, 4, cv2.LINE_AA)
    if beside:
        other = np.rint(fine + np.array([0, 2 * HALF - 4])).astype(np.int32)
        cv2.polylines(plane, [other], False, 20, 10)
    return plane


def stroke_rows(crop: np.ndarray) -> np.ndarray:
    """In each column, the middle of what is dark above the feet: the stroke's own course."""
    columns = range(10, crop.shape[1] - 10)
    return np.array([np.flatnonzero(crop[:, column] < 90)[:8].mean() for column in columns])


@pytest.mark.parametrize(("degrees", "bow"), [(0, 0), (4, 0), (0, 60), (3, -50), (-8, 30)])
def test_the_course_becomes_level(degrees, bow):
    points = course(degrees, bow)
    crop = cut_line(drawn(points), outline(points), points)
    rows = stroke_rows(crop)
    assert np.ptp(rows) < 2.5
    assert rows.std() < 0.6
    middle = crop.shape[0] / 2
    assert rows.mean() == pytest.approx(middle, abs=2.5)


def test_the_measure_sees_a_bent_line():
    points = course(0, 60)
    upper, lower = int(points[:, 1].min()) - HALF, int(points[:, 1].max()) + HALF
    assert np.ptp(stroke_rows(drawn(points)[upper:lower, 100:1_300])) > 40


def test_lengths_are_those_of_the_page():
    points = course(4, 40)
    length = np.hypot(*np.diff(points, axis=0).T).sum()
    crop = cut_line(drawn(points), outline(points), points)
    assert crop.shape[1] == pytest.approx(length, rel=0.01)
    assert crop.shape[0] == pytest.approx(2 * HALF, abs=4)


def test_letters_stand_upright():
    points = course(6, 0)
    crop = cut_line(drawn(points), outline(points), points)
    below = crop[crop.shape[0] // 2 + 8 : crop.shape[0] // 2 + 18]
    feet = []
    for row in (below[0], below[-1]):
        columns = np.flatnonzero(row < 90)
        feet.append([part.mean() for part in np.split(columns, np.flatnonzero(np.diff(columns) > 9) + 1)])
    assert len(feet[0]) == 19
    # square to the course on the page, and so upright here; on the page they lean by 0.9 px over these rows
    assert np.abs(np.subtract(*feet)).mean() < 0.3


def test_a_short_baseline_does_not_cut_the_outlines_ends():
    points = course(3, 20)
    crop = cut_line(drawn(points), outline(points), points[6:-6])
    assert crop.shape[1] == pytest.approx(1_205, abs=12)
    assert np.ptp(stroke_rows(crop)) < 6


@pytest.mark.parametrize("mask", [True, False])
def test_neighbours_are_painted_over(mask):
    points = course(0, 40)
    region = outline(points)
    region[0] -= [0, 40]  # a region that is higher at one place shows the neighbour everywhere else
    region[-1] += [0, 40]
    crop = cut_line(drawn(points, beside=True), region, points, mask=mask)
    middle = crop.shape[0] // 2
    ink_below = (crop[middle + 30 :, 200:-50] < 90).any(axis=0).mean()
    assert ink_below < 0.05 if mask else ink_below > 0.9
    if mask:
        assert crop[-1, -100] == 200  # the paper's own grey


def stored(plane: np.ndarray, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    image = Image.fromarray(plane)
    image = image.transpose(turns[orientation]) if orientation > 1 else image
    out = BytesIO()
    image.save(out, "PNG", exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_that_are_stored_turned(orientation):
    points = course(2, 30)
    plane = drawn(points)
    turned = [to_stored(part, orientation, WIDTH, HEIGHT) for part in (outline(points), points)]
    line = ExportLine(*(np.rint(part).astype(np.int32) for part in turned), 1.0)
    size = (HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT)
    (crop,) = cut_page(ExportPage("1.png", *size, [line]), stored(plane, orientation))
    straight = cut_line(plane, np.rint(outline(points)), np.rint(points))
    assert crop.shape == straight.shape
    assert np.abs(crop.astype(int) - straight).mean() < 1


def test_another_image_is_refused():
    points = course()
    line = ExportLine(outline(points).astype(np.int32), points.astype(np.int32), 1.0)
    with pytest.raises(ExportError, match=r"1400 × 500 px, the recorded one was 700 × 250 px"):
        cut_page(ExportPage("1.png", 700, 250, [line]), stored(drawn(points), 1))


def artifacts(folder: Path, *names: str) -> Path:
    points = course(4, 20)
    line = Line(outline(points).astype(np.float32), points.astype(np.float32), 0.5)
    details = PageDetails(WIDTH, HEIGHT, 0.1, (line, line))
    boxes = np.empty((0, 4), np.int32)
    records = [PageRecord(name, "ff", contours=[], contours_bboxes=boxes, details=details) for name in names]
    path = folder / "W1-I0001-abcdef.parquet"
    path.write_bytes(to_parquet(records))
    return path


def test_the_command_writes_images_and_a_list(tmp_path):
    images = tmp_path / "images" / "W1-0001"
    images.mkdir(parents=True)
    (images / "p1.png").write_bytes(stored(drawn(course(4, 20)), 1))
    (images / "p2.png").write_bytes(b"no image")
    path = artifacts(tmp_path, "p1.png", "p2.png")
    arguments = [
        "export",
        str(path),
        "--crops",
        str(tmp_path / "crops"),
        "--images",
        str(tmp_path / "images"),
    ]
    result = CliRunner().invoke(ldv1, arguments, standalone_mode=False)
    assert result.return_value == 6
    assert "p2.png: not an image of a known kind" in result.output
    folder = tmp_path / "crops" / "W1-I0001-abcdef"
    rows = [json.loads(text) for text in (folder / "lines.jsonl").read_text().splitlines()]
    assert [(row["crop"], row["image"], row["line"]) for row in rows] == [
        ("p1_001.png", "p1.png", 1),
        ("p1_002.png", "p1.png", 2),
    ]
    with Image.open(folder / "p1_001.png") as crop:
        assert (crop.mode, list(crop.size)) == ("L", rows[0]["size"])


def test_the_images_folder_is_found_by_the_volumes_name(tmp_path):
    for folder in ("W1/images/W1-0001", "W1/images/W1-0002", "W1/images/W1-I3KG1", "half"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("1.jpg", "2.jpg")[: 1 if folder == "half" else 2]:
            (tmp_path / folder / name).touch()
    pages = ["1.jpg", "2.jpg"]
    assert images_of("W1-I0002-abcdef", pages, tmp_path).name == "W1-0002"
    assert images_of("W1-I3KG1-abcdef", pages, tmp_path).name == "W1-I3KG1"
    assert images_of("anything", pages, tmp_path / "W1/images/W1-0001").name == "W1-0001"
    with pytest.raises(ExportError, match="more than one folder"):
        images_of("W1-I0009-abcdef", pages, tmp_path)
    with pytest.raises(ExportError, match=r"2\.jpg is not in .*half"):
        images_of("W1-I0001-abcdef", pages, tmp_path / "half")
