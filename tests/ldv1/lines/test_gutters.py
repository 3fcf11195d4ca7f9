"""Columns that only a white stripe through their lines parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from support.drawn_maps import Canvas, extent, middles


def bridged_columns(
    canvas: Canvas, ys: Sequence[int], left: tuple[int, int], right: tuple[int, int]
) -> Canvas:
    """Lines in two columns, the gap between which the network takes for a gap inside the lines."""
    for y in ys:
        canvas.line(y, *left, body=16).line(y, *right, body=16)
        canvas.map[y - 8 : y + 8, left[0] : right[1]] = 0.9
    return canvas


@pytest.mark.parametrize(
    ("shape", "ys"),
    [((1200, 1000), range(100, 900, 40)), ((2048, 512), range(60, 460, 40))],
    ids=["a book page", "a leaf"],
)
def test_a_white_stripe_parts_columns_that_the_network_joins(shape: tuple[int, int], ys: range) -> None:
    middle = shape[0] // 2
    canvas = bridged_columns(Canvas(*shape), list(ys), (100, middle - 20), (middle + 20, shape[0] - 100))
    lines = canvas.lines()
    assert middles(lines) == pytest.approx([*ys, *ys], abs=2)
    ends = np.array([extent(line) for line in lines])
    assert (ends[: len(ys), 1] < middle).all()
    assert (ends[len(ys) :, 0] > middle).all()


def test_a_heading_over_two_columns_is_not_cut() -> None:
    canvas = bridged_columns(Canvas(1200, 1000), list(range(200, 900, 40)), (100, 580), (620, 1100))
    lines = canvas.line(100, 300, 900).lines()
    assert extent(lines[0]) == pytest.approx((300, 900), abs=25)
    assert len(lines) == 1 + 2 * 18


def test_a_gap_through_the_few_lines_of_a_leaf_does_not_part_them() -> None:
    canvas = bridged_columns(Canvas(), [80, 160, 240, 320, 400], (200, 1000), (1080, 1850))
    assert len(canvas.lines()) == 5


def test_few_lines_of_a_book_page_are_parted_where_both_columns_are_even() -> None:
    ys = [100, 140, 180, 220, 260]
    canvas = bridged_columns(Canvas(1000, 1000), ys, (100, 480), (520, 900))
    assert middles(canvas.lines()) == pytest.approx([*ys, *ys], abs=2)


def test_lines_of_two_columns_of_a_leaf_that_are_not_level_are_parted() -> None:
    canvas = Canvas()
    for y in (100, 180, 260, 340):
        canvas.line(y, 200, 1000, body=16).line(y + 16, 1060, 1850, body=16)
        canvas.blob(1000, y - 2, 1060, y + 18)
    lines = canvas.lines()
    assert middles(lines) == pytest.approx([100, 180, 260, 340, 116, 196, 276, 356], abs=2)


def test_a_last_column_of_a_leaf_that_is_not_full_is_parted() -> None:
    left, right = [60, 110, 160, 210, 260, 310, 360], [60, 110, 160, 210, 260]
    canvas = bridged_columns(Canvas(), right, (200, 1000), (1060, 1850))
    for y in left[len(right) :]:
        canvas.line(y, 200, 1000, body=16)
    assert middles(canvas.lines()) == pytest.approx([*left, *right], abs=2)


@pytest.mark.parametrize("width", [60, 200], ids=["a gutter", "the space around a string hole"])
def test_a_stripe_through_six_lines_of_a_leaf_is_a_gutter_when_it_is_narrow(width: int) -> None:
    ys = list(range(80, 380, 50))
    canvas = bridged_columns(Canvas(), ys, (200, 1000), (1000 + width, 1850))
    assert len(canvas.lines()) == (12 if width == 60 else 6)


def test_verses_whose_second_halves_start_at_one_place_are_not_parted() -> None:
    canvas = Canvas(1000, 1000)
    for y, end in zip(range(100, 340, 40), (440, 300, 480, 330, 390, 350), strict=True):
        bridged_columns(canvas, [y], (100, end), (520, 900))
    assert len(canvas.lines()) == 6


def test_page_numbers_of_a_table_of_contents_are_not_parted() -> None:
    canvas = Canvas(1000, 1000)
    for y in range(100, 340, 40):
        bridged_columns(canvas, [y], (100, 700), (740, 780))
    assert len(canvas.lines()) == 6


def test_words_that_stand_apart_are_not_parted() -> None:
    canvas = Canvas(1000, 1000)
    for y in range(100, 340, 40):
        for x in range(100, 900, 160):
            canvas.line(y, x, x + 120, body=16)
        canvas.map[y - 8 : y + 8, 100:860] = 0.9
    assert len(canvas.lines()) == 6


def test_a_white_stripe_no_wider_than_the_gaps_of_words_parts_no_lines() -> None:
    canvas, rng = Canvas(), np.random.default_rng(4)
    for y in range(40, 480, 40):
        bridged_columns(canvas, [y], (200, 1000), (1022, 1850))
        for x in rng.integers(240, 900, 3).tolist() + rng.integers(1060, 1760, 3).tolist():
            canvas.ink[y - 10 : y + 10, x : x + 60] = 255
    assert len(canvas.lines()) == 11


def test_specks_in_a_gutter_bridge_no_columns() -> None:
    ys = list(range(100, 900, 40))
    canvas, rng = bridged_columns(Canvas(1200, 1000), ys, (100, 580), (620, 1100)), np.random.default_rng(3)
    canvas.ink[rng.random(canvas.ink.shape) < 0.01] = 0
    assert middles(canvas.lines()) == pytest.approx([*ys, *ys], abs=2)


def test_a_line_is_not_carried_on_across_a_gutter() -> None:
    ys = list(range(100, 500, 40))
    canvas = bridged_columns(Canvas(1000, 1000), ys, (100, 480), (520, 900))
    canvas.map[172:188, 520:720] = 0  # the network lost the start of a line on the right
    canvas.map[212:228, 300:480] = 0  # … and the end of one on the left
    lines = canvas.lines()
    assert all(extent(line)[1] < 500 for line in lines[:10])
    assert all(extent(line)[0] > 500 for line in lines[10:])
