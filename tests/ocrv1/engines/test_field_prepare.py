"""A line as the field's models want it: white squares, proportions, two values."""

import numpy as np
import pytest

from bec_ocrv1.engines.field.prepare import prepared


def inked(height, width, paper=235, ink=40):
    line = np.full((height, width), paper, np.uint8)
    line[height // 4 : 3 * height // 4, ::4] = ink
    line[height // 4 : 3 * height // 4, 1::4] = ink
    return line


def ink_box(values):
    rows, columns = np.nonzero(values < 0)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_there_are_two_values_and_paper_is_one():
    values = prepared(inked(80, 400), 3200, 80)
    assert values.shape == (80, 3200)
    assert values.dtype == np.float32
    assert set(np.unique(values)) == {-1.0, 1.0}
    assert values[0, 0] == values[-1, -1] == 1


def test_a_square_of_white_stands_on_the_left():
    left, top, right, bottom = ink_box(prepared(inked(80, 400), 3200, 80))
    assert (left, top, bottom) == (80, 20, 60)
    assert right == pytest.approx(480, abs=3)


def test_proportions_stay_and_a_small_line_grows():
    left, top, right, bottom = ink_box(prepared(inked(40, 200), 3200, 80))
    assert (left, top, bottom) == (pytest.approx(80, abs=2), 20, 60)
    assert right == pytest.approx(480, abs=8)


def test_a_very_long_line_is_bound_by_the_width_and_stands_in_the_middle():
    line = inked(80, 6240)  # with its squares 6,400: half of it fits
    line[:, -20:] = 40
    left, top, right, bottom = ink_box(prepared(line, 3200, 80))
    assert left == 40
    assert right == pytest.approx(3160, abs=1)
    assert (top, bottom) == (20, 60)  # of 40 rows, in the middle of 80


def test_grey_paper_is_paper_however_much_white_stands_around_it():
    line = np.full((80, 60), 170, np.uint8)
    line[30:50, 20:40] = 60
    values = prepared(line, 3200, 80)
    assert (values < 0).sum() == 400


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_image_of_one_value_is_paper(value):
    assert (prepared(np.full((30, 300), value, np.uint8), 800, 80) == 1).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (400, 1), (0, 10), (10, 0)])
def test_odd_sizes_are_no_errors(shape):
    assert prepared(np.zeros(shape, np.uint8), 800, 80).shape == (80, 800)
