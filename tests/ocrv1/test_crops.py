"""Lines' images reach a little beyond what detection outlined, and never into another line."""

import math

import numpy as np
import pytest

from bec_ldv1.artifacts import PageImage, PageLines, TextLine
from bec_ocrv1.crops import MORE, cut_lines, drawn_out

HEIGHT = 60


def line(left: float, right: float, middle: float, turn: float = 0.0) -> TextLine:
    """A line of this height, turned about the origin by degrees."""
    course = np.column_stack((np.linspace(left, right, 9), np.full(9, middle)))
    half = np.array([0, HEIGHT / 2])
    outline = np.vstack((course - half, (course + half)[::-1]))
    way = math.radians(turn)
    matrix = np.array([[math.cos(way), math.sin(way)], [-math.sin(way), math.cos(way)]])
    return TextLine((outline @ matrix).astype(np.float32), (course @ matrix).astype(np.float32), 0.9)


def reach(outline, turn=0.0):
    way = math.radians(turn)
    along = outline @ [math.cos(way), math.sin(way)]
    return along.min(), along.max()


@pytest.mark.parametrize("turn", [0, 7, 90, 180])
def test_both_ends_reach_further_by_a_third_of_the_height(turn):
    one = line(200, 800, 300, turn)
    found = drawn_out(one.polygon, one.baseline, [])
    assert reach(found.polygon, turn) == pytest.approx((200 - MORE * HEIGHT, 800 + MORE * HEIGHT), abs=0.1)
    np.testing.assert_array_equal(found.baseline, one.baseline)
    middle = [2, 3, 4, 5, 6]
    np.testing.assert_array_equal(found.polygon[middle], one.polygon[middle])


def test_what_was_found_is_left_as_it_is():
    one = line(200, 800, 300)
    before = one.polygon.copy()
    drawn_out(one.polygon, one.baseline, [])
    np.testing.assert_array_equal(one.polygon, before)


def test_a_line_ahead_stops_it_half_the_way():
    one, other, below = line(200, 800, 300), line(820, 1400, 310), line(200, 1400, 380)
    found = drawn_out(one.polygon, one.baseline, [other.polygon, below.polygon])
    assert reach(found.polygon) == pytest.approx((180, 810), abs=0.1)


def test_a_line_that_touches_leaves_no_room():
    one, other = line(200, 800, 300), line(800, 1400, 300)
    assert reach(drawn_out(one.polygon, one.baseline, [other.polygon]).polygon)[1] == pytest.approx(800)


def test_odd_outlines_are_left_to_the_cutter():
    for polygon, baseline in ((np.empty((0, 2)), np.empty((0, 2))), (np.zeros((3, 2)), np.zeros((2, 2)))):
        assert len(drawn_out(polygon, baseline, []).polygon) == len(polygon)


def test_the_last_dot_of_a_line_is_in_its_image():
    plane = np.full((600, 1000), 230, np.uint8)
    plane[290:310, 806:814] = 20  # beyond the outline's end
    plane[290:310, 850:860] = 20  # far beyond
    one = line(200, 800, 300)
    page = PageLines("1.png", "ff", width=1000, height=600, lines=(one,))
    (crop,) = cut_lines(PageImage(plane, False), page)
    assert (crop < 100).sum() == pytest.approx(20 * 8, abs=40)
    assert crop.shape[1] == pytest.approx(600 + 2 * MORE * HEIGHT, abs=3)
