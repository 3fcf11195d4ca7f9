import math

import cv2
import numpy as np
import pytest

from bec_ldv1.page.contours import find_contours
from bec_ldv1.page.skew import contour_angle, skew_angle


def band(x: float, y: float, length: float, height: float, degrees: float) -> np.ndarray:
    """A rectangle that falls to the right by so many degrees, from a hand-computed corner."""
    along = np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
    down = np.array([-along[1], along[0]])
    start = np.array([x, y])
    corners = [start, start + length * along, start + length * along + height * down, start + height * down]
    return np.rint(np.array(corners) * 1).astype(np.int32)


@pytest.mark.parametrize("degrees", [-44, -5, -2.5, -0.4, 0, 0.4, 3, 5, 44])
def test_one_contour(degrees: float) -> None:
    angle, area = contour_angle(band(3000, 3000, 2500, 40, degrees))
    assert angle == pytest.approx(degrees, abs=0.1)
    assert area == pytest.approx(2500 * 40, rel=0.06)


@pytest.mark.parametrize("degrees", [-4.0, -1.0, 1.0, 4.0])
def test_turning_the_page_by_the_angle_levels_it(degrees: float) -> None:
    mask = np.zeros((800, 2000), np.uint8)
    for y in (250, 400, 550):
        cv2.fillPoly(mask, [band(300, y, 1400, 40, degrees)], 1)
    limits = {"min_area_fraction": 0.001, "min_width_fraction": 0.01, "min_height_px": 10}
    angle = skew_angle(find_contours(mask, **limits))
    assert angle == pytest.approx(degrees, abs=0.1)
    level = cv2.warpAffine(mask, cv2.getRotationMatrix2D((1000, 400), angle, 1), (2000, 800))
    assert skew_angle(find_contours(level, **limits)) is None


def test_small_angles_are_none() -> None:
    assert skew_angle([band(0, 100, 3000, 40, 0.2)]) is None
    assert skew_angle([band(0, 100, 3000, 40, 0.4)]) is not None
    assert skew_angle([]) is None


def test_angles_beyond_five_degrees_do_not_count() -> None:
    assert skew_angle([band(300, 300, 900, 40, 7)]) is None
    assert skew_angle([band(300, 300, 900, 40, 7), band(300, 600, 900, 40, 2)]) == pytest.approx(2, abs=0.1)


def test_outliers_beyond_three_mad_are_dropped() -> None:
    lines = [
        band(100, 100 + 100 * i, 2000, 40, degrees) for i, degrees in enumerate((0.9, 1.0, 1.1, 1.2, 4.5))
    ]
    measured = [contour_angle(line) for line in lines]
    angles = np.array([angle for angle, _ in measured])
    distances = np.abs(angles - np.median(angles))
    assert distances[-1] > 3 * np.median(distances)  # the last one, and it alone
    assert (distances[:-1] <= 3 * np.median(distances)).all()
    assert skew_angle(lines) == pytest.approx(np.mean(angles[:-1]), abs=0.01)


def test_long_lines_weigh_more() -> None:
    long, short = band(100, 100, 3000, 40, 1.0), band(100, 400, 1000, 40, 2.0)
    assert skew_angle([long, short]) == pytest.approx((3 * 1.0 + 2.0) / 4, abs=0.05)


def test_steeper_angles_count_where_they_are_asked_for() -> None:
    steep = [band(0, y, 3000, 40, 9.0) for y in (100, 300, 500)]
    assert skew_angle(steep) is None
    assert skew_angle(steep, steepest=12.0) == pytest.approx(9.0, abs=0.1)
