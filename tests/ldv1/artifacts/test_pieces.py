"""Lines out of the contract's pieces."""

import numpy as np
import pytest

from bec_ldv1.artifacts import PageImage, PageLines, cut_line

WIDTH, HEIGHT = 2_000, 800


def piece(left: float, right: float, middle: float, half: float = 15) -> np.ndarray:
    x, y = (left, right, right, left), (middle - half, middle - half, middle + half, middle + half)
    return np.column_stack((x, y)).astype(np.int32)


def lines_of(*pieces: np.ndarray, size: tuple[int, int] = (WIDTH, HEIGHT)) -> list[list[int]]:
    """Left, top, right and bottom of the lines that pieces make, in their order."""
    page = PageLines("1.png", "ff", contours=pieces, lines=None)
    found = page.on(PageImage(np.zeros(size[::-1], np.uint8), False)).lines
    return [[*line.polygon.min(axis=0).astype(int), *line.polygon.max(axis=0).astype(int)] for line in found]


def test_pieces_in_one_row_are_one_line_from_left_to_right():
    left, right = piece(100, 800, 200), piece(900, 1_900, 204)
    lower = piece(100, 1_900, 300)
    (first, second) = lines_of(lower, right, left)
    assert first[0] == pytest.approx(100, abs=20)
    assert first[2] == pytest.approx(1_900, abs=20)
    assert first[1] < 185
    assert first[3] > 219
    assert second[1] > first[1] + 80


def test_a_line_reaches_half_way_to_its_neighbours():
    upper, lower = lines_of(piece(100, 1_900, 200), piece(100, 1_900, 250))
    assert upper[3] == pytest.approx(225, abs=4)
    assert lower[1] == pytest.approx(225, abs=4)


def test_columns_are_read_one_after_the_other():
    rows = range(100, 700, 80)
    left, right = [piece(100, 900, y) for y in rows], [piece(1_100, 1_900, y) for y in rows]
    found = lines_of(*(side for pair in zip(left, right, strict=True) for side in pair), size=(WIDTH, 1_600))
    assert [line[0] < 1_000 for line in found] == [True] * len(left) + [False] * len(right)
    assert np.diff([line[1] for line in found[: len(left)]]).min() > 0


def test_a_page_without_pieces_has_no_lines():
    assert lines_of() == []
    assert lines_of(np.array([[5, 5], [6, 6]], np.int32)) == []


def test_the_other_programs_rotation_and_spline_are_undone():
    """Bowed on the scan, level on the rectified page: the line is cut where it is on the scan."""
    x = np.linspace(200, 1_800, 5)
    bow = 60 * (1 - ((x - 1_000) / 800) ** 2)
    corners = np.array(
        [[0, 0, 0, 0], [0, WIDTH, 0, WIDTH], [HEIGHT, 0, HEIGHT, 0], [HEIGHT, WIDTH, HEIGHT, WIDTH]]
    )
    points = np.vstack((np.column_stack((400 + bow, x, np.full(5, 430.0), x)), corners)).astype(np.float32)
    plane = np.full((HEIGHT, WIDTH), 220, np.uint8)
    columns = np.arange(200, 1_801)
    course = np.rint(400 + 60 * (1 - ((columns - 1_000) / 800) ** 2)).astype(int)
    for offset in range(-10, 11):
        plane[course + offset, columns] = 20
    page = PageLines(
        "1.png", "ff", contours=(piece(200, 1_800, 430, 12),), tps_points=points, tps_alpha=0.5, lines=None
    )
    image = PageImage(plane, False)
    page = page.on(image)
    (line,) = page.lines
    crop = cut_line(image, page, line)
    middles = [np.flatnonzero(crop[:, column] < 120).mean() for column in range(40, crop.shape[1] - 40)]
    assert np.ptp(middles) < 12  # of 60
    assert crop.shape[1] == pytest.approx(1_610, abs=40)
