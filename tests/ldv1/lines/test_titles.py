"""Lines that stand alone on a leaf or cover, and the signs above them."""

from __future__ import annotations

import pytest

from support.drawn_maps import Canvas, extent, middles


def test_a_title_in_pieces_of_many_heights_is_one_line() -> None:
    canvas = Canvas()
    for x, y, body in ((600, 250, 60), (760, 250, 64), (960, 280, 26), (1120, 216, 24)):
        canvas.line(y, x, x + 90, body=body)
    (line,) = canvas.lines()
    assert extent(line) == pytest.approx((600, 1210), abs=20)


def test_the_halves_of_a_title_whose_slopes_mislead_are_one_line() -> None:
    canvas = Canvas().line(lambda x: 260 - 0.05 * (x - 500), 500, 930, body=46).line(240, 1730, 1900, body=52)
    (line,) = canvas.lines()
    assert extent(line) == pytest.approx((500, 1900), abs=20)


def test_two_lines_of_a_title_stay_two() -> None:
    canvas = Canvas().line(200, 400, 900, body=50).line(280, 1000, 1500, body=50)
    assert middles(canvas.lines()) == pytest.approx([200, 280], abs=3)


def signs(canvas: Canvas, y: int, x0: int, x1: int) -> Canvas:
    """A few strokes apart, which the network takes for a line."""
    for x in range(x0, x1, 60):
        canvas.draw(x + 6, y - 6, x + 20, y + 6)
    return canvas.blob(x0, y - 6, x1, y + 6)


@pytest.mark.parametrize("others", [(), (320, 390)], ids=["a title", "the first line of some"])
def test_vowel_signs_above_a_line_are_none(others: tuple[int, ...]) -> None:
    canvas = Canvas().line(250)
    for y in others:
        canvas.line(y)
    lines = signs(canvas, 204, 500, 1700).lines()
    assert middles(lines) == pytest.approx([250, *others], abs=2)


def test_vowel_signs_are_part_of_the_region_of_a_title() -> None:
    (line,) = signs(Canvas().line(250), 204, 500, 1700).lines()
    assert line.polygon[:, 1].min() < 202


def test_a_line_of_small_letters_above_a_title_is_kept() -> None:
    assert middles(Canvas().line(250).line(204, 500, 1700, body=12).lines()) == pytest.approx(
        [204, 250], abs=2
    )
