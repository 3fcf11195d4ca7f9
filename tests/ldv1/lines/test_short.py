"""Short last lines of paragraphs, and short things that are none."""

from __future__ import annotations

import pytest

from support.drawn_maps import Canvas, extent, middles


def page() -> Canvas:
    return Canvas().line(100).line(160).line(220)


def test_one_syllable_below_the_last_line_is_kept() -> None:
    lines = page().line(280, 200, 236).lines()
    assert middles(lines) == pytest.approx([100, 160, 220, 280], abs=2)
    assert extent(lines[3]) == pytest.approx((200, 236), abs=10)


def test_one_syllable_between_paragraphs_is_kept() -> None:
    canvas = page().line(280, 200, 236).line(340).line(400)
    assert middles(canvas.lines()) == pytest.approx([100, 160, 220, 280, 340, 400], abs=2)


def test_one_syllable_at_the_end_of_a_column_is_kept() -> None:
    canvas = Canvas(1000, 1000)
    for y in range(100, 500, 50):
        canvas.line(y, 540, 900)
        canvas.line(y, 100, 136 if y == 450 else 460)
    assert len(canvas.lines()) == 16


@pytest.mark.parametrize(
    ("x", "y", "body"),
    [(900, 280, 24), (260, 280, 24), (200, 320, 24), (200, 256, 24), (200, 280, 10)],
    ids=["in the middle", "indented", "too far below", "too near", "too low"],
)
def test_a_short_piece_elsewhere_is_dropped(x: int, y: int, body: int) -> None:
    assert middles(page().line(y, x, x + 36, body=body).lines()) == pytest.approx([100, 160, 220], abs=2)


def test_a_speck_where_a_line_is_expected_is_dropped() -> None:
    canvas = page().blob(200, 268, 240, 292).draw(204, 276, 232, 284)
    assert middles(canvas.lines()) == pytest.approx([100, 160, 220], abs=2)
