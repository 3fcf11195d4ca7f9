"""Bringing a line to the network's measure: contrast, the bodies' place and height, their course."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from bec_ocrv1.box.body import ROWS, Bodies, find_bodies, levelled, row_features, windows
from bec_ocrv1.box.prepare import BODY, HEIGHT, TOP, Gray, prepared, scaled, stretched
from bec_ocrv1.box.spacing import spaced


def line_of(height: int, top: int, body: int, *, ink: int = 30, paper: int = 220, width: int = 600) -> Gray:
    """Paper with boxes for letters, standing between two rows."""
    image = np.full((height, width), paper, np.uint8)
    for x in range(10, width - body, body):
        image[top : top + body, x : x + int(0.6 * body)] = ink
    return image


def body_rows(line: Gray) -> tuple[int, int]:
    rows = np.flatnonzero((line < 128).mean(axis=1) > 0.2)
    return int(rows[0]), int(rows[-1]) + 1


@pytest.mark.parametrize(
    ("height", "top", "body"), [(60, 20, 14), (170, 60, 45), (44, 12, 20), (400, 150, 90)]
)
def test_bodies_come_to_one_height_at_one_place_whatever_the_scan(height: int, top: int, body: int) -> None:
    line = prepared(line_of(height, top, body), top, top + body)
    assert line.shape[0] == HEIGHT
    first, last = body_rows(line)
    assert abs(first - TOP) <= 1
    assert abs(last - TOP - BODY) <= 1


def test_widths_scale_with_the_body() -> None:
    narrow, wide = (
        prepared(line_of(5 * body, 2 * body, body, width=30 * body), 2 * body, 3 * body) for body in (12, 48)
    )
    assert abs(narrow.shape[1] - wide.shape[1]) <= 2


def test_grey_scans_become_black_on_white_and_empty_ones_paper() -> None:
    plain = stretched(line_of(60, 20, 14, ink=90, paper=170))
    assert plain.min() == 0
    assert plain.max() == 255
    faint = np.random.default_rng(1).integers(200, 206, (50, 90)).astype(np.uint8)
    assert (stretched(faint) == 255).all()


def test_a_crop_that_ends_at_the_bodies_is_filled_with_paper() -> None:
    line = scaled(stretched(line_of(30, 5, 20)), 5, 25)
    assert (line[: TOP - 8] == 255).all()
    assert (line[TOP + BODY + 8 :] == 255).all()


def test_rows_say_where_ink_begins_and_ends() -> None:
    rows = row_features(stretched(line_of(64, 16, 16)), [(0, 600)])[0]
    assert rows.shape == (4, ROWS)
    inked, begins, above, below = rows
    assert inked[2 * 16 + 4 : 2 * 32 - 4].min() > 0.4
    assert inked[: 2 * 16 - 4].max() == 0
    assert abs(int(above.argmax()) - 2 * 16) <= 2
    assert abs(int(below.argmax()) - (2 * 32 - 2)) <= 2
    assert begins[40] > 0


def test_windows_cover_the_line() -> None:
    spans = windows(50, 1730)
    assert spans[0][0] == 0
    assert spans[-1][1] == 1730
    assert all(later[0] < earlier[1] for earlier, later in pairwise(spans))
    assert windows(50, 60) == [(0, 60)]


def test_a_sloping_line_becomes_level() -> None:
    straight = np.full((120, 900), 255, np.uint8)
    course = 40 + 30 * np.linspace(0, 1, 900)
    for x in range(10, 880, 22):
        y = round(course[x])
        straight[y - 10 : y + 10, x : x + 12] = 0
    level, top, bottom = levelled(straight, Bodies(course, 20.0))
    first, last = body_rows(level)
    assert abs(first - top) <= 3
    assert abs(last - bottom) <= 3


def test_windows_that_are_wrong_do_not_bend_the_course() -> None:
    image = line_of(100, 40, 20, width=3000)

    def net(rows: np.ndarray) -> np.ndarray:
        answers = np.tile(np.array([[0.4, 0.6]], np.float32), (len(rows), 1))
        answers[3] = (0.75, 0.9)
        return answers

    bodies = find_bodies(stretched(image), net)
    assert bodies.height == pytest.approx(20)
    assert np.abs(bodies.middle - 50).max() < 2.5


def test_spaces_follow_shads() -> None:
    assert spaced("བཤད།།དེ་ནི།") == "བཤད། །དེ་ནི།"
    assert spaced("ང་།སོགས།།།།གཞན") == "ང་། སོགས། ། ། །གཞན"
    assert spaced("ཀ༔ཁ") == "ཀ༔ ཁ"
    assert spaced("") == ""


def test_a_line_of_one_pixel_does_no_harm() -> None:
    tiny = np.zeros((3, 3), np.uint8)
    bodies = find_bodies(stretched(tiny), lambda rows: np.full((len(rows), 2), 0.5, np.float32))
    assert scaled(*levelled(stretched(tiny), bodies)).shape[0] == HEIGHT
    assert cv2.countNonZero(255 - stretched(tiny)) == 0
