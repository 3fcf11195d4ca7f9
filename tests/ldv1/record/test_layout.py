"""How regularly lines lie, whatever way the page is stored."""

import numpy as np
import pytest

from bec_ldv1.lines import Line
from bec_ldv1.record.layout import layout_of


def line(left: float, right: float, middle: float, height: float = 40) -> Line:
    top, bottom = middle - height / 2, middle + height / 2
    polygon = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return Line(np.array(polygon, np.float32), np.array([[left, middle], [right, middle]], np.float32), 0.9)


def turned(one: Line, degrees: float) -> Line:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    return Line(one.polygon @ turn.T, one.baseline @ turn.T, one.confidence)


EVEN = [line(100, 900, 50 + 50 * n) for n in range(6)]


@pytest.mark.parametrize("degrees", [0, 7, 90, 180, 270])
def test_even_lines_in_any_direction(degrees: int) -> None:
    found = layout_of([turned(one, degrees) for one in EVEN], 1000)
    assert found is not None
    assert found.height == pytest.approx(0.04, rel=0.01)
    assert found.pitch == pytest.approx(1.25, rel=0.01)
    assert (found.gap, found.closest, found.shortest) == pytest.approx((1, 1, 1), rel=0.01)
    assert found.uneven == pytest.approx(0, abs=0.01)
    assert found.beside == 0


def test_a_missing_line_leaves_a_gap() -> None:
    found = layout_of([*EVEN[:2], *EVEN[3:]], 1000)
    assert found is not None
    assert found.gap == pytest.approx(2, rel=0.01)


def test_a_line_too_many_is_close_and_uneven() -> None:
    found = layout_of([*EVEN[:3], line(100, 900, 165, 15), *EVEN[3:]], 1000)
    assert found is not None
    assert found.closest < 0.5
    assert found.uneven > 0.9


def test_halves_of_a_line_stand_beside_each_other_and_are_short() -> None:
    found = layout_of([*EVEN[:2], line(100, 480, 150), line(520, 900, 152), *EVEN[3:]], 1000)
    assert found is not None
    assert found.beside == 2
    assert found.shortest < 0.5
    assert found.gap == pytest.approx(1, rel=0.05)


def test_a_short_last_line_is_usual() -> None:
    found = layout_of([*EVEN[:5], line(100, 250, 300)], 1000)
    assert found is not None
    assert found.shortest == 1


def test_one_line_and_none() -> None:
    assert layout_of([], 1000) is None
    found = layout_of([line(100, 900, 50)], 1000)
    assert found is not None
    assert (found.gap, found.closest, found.shortest, found.beside) == (1, 1, 1, 0)
