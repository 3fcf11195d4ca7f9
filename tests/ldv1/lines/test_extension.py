"""Lines carried on where the network lost them, and where that ends."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from support.drawn_maps import Canvas, Curve, extent


def test_a_line_is_carried_on_over_faint_ink_up_to_the_edge_of_the_block() -> None:
    canvas = Canvas().line(100).line(160).line(220).line(280)
    canvas.map[140:180, 1200:] = 0  # the network lost the end of the second line …
    canvas.map[200:240, 1200:] = 0
    canvas.ink[200:240, 1200:] = 255  # … and the third one ends there
    lines = canvas.lines()
    assert extent(lines[1]) == pytest.approx((200, 1850), abs=20)
    assert extent(lines[2]) == pytest.approx((200, 1200), abs=20)


def test_what_stands_beside_the_block_is_not_reached_by_carrying_on() -> None:
    canvas = Canvas().line(100).line(160).line(220)
    canvas.draw(1880, 80, 2040, 240)  # a dark picture
    assert all(extent(line)[1] == pytest.approx(1850, abs=12) for line in canvas.lines())


def leaning(offset: float, lean: float) -> Curve:
    return lambda x: offset + lean * x


@pytest.mark.parametrize("lean", [0.0, 0.03])
def test_guide_lines_carry_no_line_on(lean: float) -> None:
    canvas = Canvas()
    for y in (100, 160, 220, 280):
        canvas.line(leaning(y, lean), 200, 1000 if y in (160, 220) else 1850)
    for x in range(150, 1950):
        for y in (100, 160, 220, 280):
            level = round(y + lean * x)
            canvas.draw(x, level - 9, x + 1, level - 7).draw(x, level + 9, x + 1, level + 11)
    lines = canvas.lines()
    assert [extent(line)[1] for line in lines] == pytest.approx([1850, 1000, 1000, 1850], abs=30)


def test_letters_on_guide_lines_are_carried_on() -> None:
    canvas = Canvas().line(100).line(160).line(220).line(280)
    canvas.map[140:180, 1200:] = 0
    for y in (100, 160, 220, 280):
        canvas.draw(150, y - 12, 1950, y - 10).draw(150, y + 10, 1950, y + 12)
    assert extent(canvas.lines()[1])[1] == pytest.approx(1850, abs=20)


@pytest.mark.parametrize("density", [0.1, 0.3])
def test_lines_end_before_a_picture(density: float) -> None:
    canvas = Canvas()
    for y in (100, 160, 220, 280, 340):
        canvas.line(y, 200, 1100 if 130 < y < 310 else 1850)
    picture, rng = canvas.ink[130:310, 1110:1840], np.random.default_rng(1)
    while (picture == 0).mean() < density:
        x, y = int(rng.integers(0, 730)), int(rng.integers(0, 180))
        across, down = np.rint(15 * np.array([np.cos(x), np.sin(x)])).astype(int).tolist()
        cv2.line(picture, (x, y), (x + across, y + down), (0,), 2)
    assert all(extent(line)[1] < 1300 for line in canvas.lines()[1:4])
