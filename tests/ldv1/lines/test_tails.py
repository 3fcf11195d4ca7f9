"""Last syllables that the network hardly marks, and what stands at such places and is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bec_ldv1.lines import Assembled, LineSettings, assemble_page
from support.drawn_maps import Canvas, extent, middles

LINES = [100, 160, 220]


def page(width: int = 2048, height: int = 512) -> Canvas:
    """Three lines with their left end at 200 and a body of 24, 60 apart."""
    canvas = Canvas(width, height)
    for y in LINES:
        canvas.line(y)
    return canvas


def letters(canvas: Canvas, x: int = 200, y: int = 280, *, value: float = 0.0, high: int = 28) -> Canvas:
    """Two letters with the middle ``y`` from ``x`` on, which the network marks with ``value``."""
    for left in (x, x + 22):
        canvas.draw(left, y - high // 2, left + 16, y - high // 2 + 4)
        canvas.draw(left + 12, y - high // 2, left + 16, y + high // 2)
    return canvas.blob(x, y - 14, x + 38, y + 14, value)


def seen(canvas: Canvas) -> Assembled:
    soft = np.asarray(cv2.GaussianBlur(canvas.map, (0, 0), 2), np.float32)
    return assemble_page(soft, canvas.ink, LineSettings())


def test_a_weakly_marked_syllable_below_the_last_line_is_a_line() -> None:
    found = seen(letters(page(), value=0.4))
    assert middles(found.lines) == pytest.approx([*LINES, 280], abs=3)
    assert extent(found.lines[3]) == pytest.approx((200, 238), abs=4)
    assert 0.3 < found.lines[3].confidence < 0.5
    assert found.unread_tails == 0


def test_a_syllable_with_a_long_descender_is_a_line() -> None:
    found = seen(letters(page(), y=293, value=0.4, high=56))
    assert middles(found.lines) == pytest.approx([*LINES, 293], abs=3)


def test_a_syllable_may_be_higher_than_the_lines_are_apart() -> None:
    canvas = letters(page(), y=264, value=0.4, high=52).draw(244, 266, 260, 270).draw(256, 266, 260, 318)
    assert middles(seen(canvas).lines) == pytest.approx([*LINES, 264], abs=3)


def test_a_syllable_that_the_network_does_not_mark_is_told() -> None:
    found = seen(letters(page()))
    assert middles(found.lines) == pytest.approx(LINES, abs=2)
    assert found.unread_tails == 1


def test_a_syllable_that_is_a_line_anyway_is_one_line() -> None:
    found = seen(page().line(280, 200, 236))
    assert middles(found.lines) == pytest.approx([*LINES, 280], abs=2)
    assert found.unread_tails == 0


def test_a_syllable_below_the_first_of_two_columns_is_found() -> None:
    canvas = Canvas(1000, 1000)
    for y in range(100, 460, 50):
        canvas.line(y, 540, 900).line(y, 100, 460)
    canvas.line(500, 540, 900)
    found = seen(letters(canvas, 100, 500, value=0.4))
    assert len(found.lines) == 18
    assert middles(found.lines)[8] == pytest.approx(500, abs=3)


def with_seal(canvas: Canvas) -> Canvas:
    cv2.rectangle(canvas.ink, (205, 250), (305, 350), 0, 6)
    cv2.circle(canvas.ink, (255, 300), 30, 0, 5)
    return canvas.blob(205, 250, 305, 350, 0.4)


def with_frame(canvas: Canvas) -> Canvas:
    cv2.rectangle(canvas.ink, (180, 60), (1880, 290), 0, 5)
    return canvas


def with_specks(canvas: Canvas) -> Canvas:
    rng = np.random.default_rng(1)
    for x, y in zip(rng.integers(150, 1900, 200), rng.integers(240, 330, 200), strict=True):
        canvas.draw(x, y, x + 4, y + 4)
    return canvas.blob(150, 250, 400, 320, 0.35)


def with_row(canvas: Canvas) -> Canvas:
    for x in range(200, 1800, 120):
        letters(canvas, x)
    return canvas.blob(200, 268, 300, 292, 0.4)


@pytest.mark.parametrize(
    "canvas",
    [
        letters(page(), 1000, value=0.4),
        letters(page(), 130, value=0.4),
        letters(page(), 260, value=0.4),
        letters(page(), 200, 304, value=0.4, high=20),
        letters(page(), 200, 325, value=0.4),
        letters(page(), 200, 280, value=0.4, high=10),
        with_seal(page()),
        with_frame(page()),
        with_specks(page()),
        with_row(page()),
        page().blob(200, 266, 240, 294, 0.4),
        letters(page(), value=0.4).line(340).line(400),
        letters(Canvas().line(160).line(220), value=0.4),
        letters(Canvas().line(40).line(160).line(220), value=0.4),
    ],
    ids=[
        "a page number in the middle",
        "a side mark",
        "indented",
        "too low on the page",
        "too far below",
        "specks in a row",
        "a seal",
        "a frame's corner",
        "specks",
        "the beginning of a row",
        "no ink",
        "in a gap, where a line was lost",
        "two lines",
        "an irregular block",
    ],
)
def test_other_things_are_neither_lines_nor_last_syllables(canvas: Canvas) -> None:
    found = seen(canvas)
    assert not [y for y in middles(found.lines) if 240 < y < 335]
    assert found.unread_tails == 0
