import numpy as np
import pytest

from bec_ldv1.page.curvature import control_points, measure


def line(left: int, right: int, middle: float, sag: float, thickness: int = 30) -> np.ndarray:
    """The outline of a parabolic band, `sag` px lower in its middle than at its ends."""
    x = np.arange(left, right + 1)
    course = middle + sag * (1 - ((x - (left + right) / 2) / ((right - left) / 2)) ** 2)
    top = np.column_stack((x, np.rint(course - thickness / 2)))
    bottom = np.column_stack((x, np.rint(course + thickness / 2)))
    return np.vstack((top, bottom[::-1])).astype(np.int32)


def test_centres_follow_the_line() -> None:
    bow = measure(line(100, 1300, 400, 90))
    xs = bow.centres[:, 0]
    # slices: 0–39, 260–299 (ending at a quarter), 600–639, 900–939, 1161–1200 of the 1201 px
    assert xs.tolist() == pytest.approx([119.5, 379.5, 719.5, 1019.5, 1280.5])
    course = 400 + 90 * (1 - ((xs - 700) / 600) ** 2)
    assert np.abs(bow.centres[:, 1] - course).max() < 2
    assert bow.spread == pytest.approx(np.ptp(course), abs=3)
    assert 31 <= bow.thickness <= 40
    assert bow.curved


def test_a_straight_line_is_not_curved() -> None:
    bow = measure(line(100, 1300, 400, 0))
    assert bow.spread == 0
    assert not bow.curved
    assert control_points([line(100, 1300, 400, 0), line(100, 1300, 500, 10)], 1500, 600) is None


def test_a_spread_just_as_great_as_the_thickness_is_straight() -> None:
    steps = np.array(
        [[0, 0], [700, 0], [700, 41], [1500, 41], [1500, 81], [0, 81], [0, 80], [699, 80], [699, 40], [0, 40]]
    )
    bow = measure(steps.astype(np.int32))
    assert bow.curved == (bow.spread > bow.thickness)


def test_a_contour_narrower_than_a_slice() -> None:
    bow = measure(np.array([[10, 10], [25, 10], [25, 40], [10, 40]], np.int32))
    assert bow.spread == 0
    assert (bow.centres[:, 1] == 25).all()


def test_the_typical_curve_gives_the_control_points() -> None:
    lines = [
        line(100, 1300, 100, 0),
        line(100, 1300, 300, 60),
        line(100, 1300, 500, 80),
        line(100, 1300, 700, 160),
    ]
    spreads = [measure(each).spread for each in lines]
    mean = (spreads[1] + spreads[2] + spreads[3]) / 4
    nearest = min((1, 2, 3), key=lambda i: abs(spreads[i] - mean))
    points = control_points(lines, 1400, 900)
    assert points is not None
    centres = measure(lines[nearest]).centres
    np.testing.assert_allclose(points.inputs[:5], centres)
    np.testing.assert_allclose(points.outputs[:5, 0], centres[:, 0])
    np.testing.assert_allclose(points.outputs[:5, 1], centres[:, 1].mean())
    corners = [[0, 0], [1399, 0], [0, 899], [1399, 899]]
    assert points.inputs[5:].tolist() == corners
    assert points.outputs[5:].tolist() == corners
