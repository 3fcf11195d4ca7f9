import cv2
import numpy as np
import pytest

from bec_ldv1.page.contours import bounding_boxes, find_contours, rounded, scale_points

LIMITS = {"min_area_fraction": 0.001, "min_width_fraction": 0.01, "min_height_px": 10}


def mask(*rectangles: tuple[int, int, int, int]) -> np.ndarray:
    plane = np.zeros((500, 1000), np.uint8)
    for x, y, width, height in rectangles:
        plane[y : y + height, x : x + width] = 1
    return plane


def test_a_rectangle_is_four_compressed_points() -> None:
    (contour,) = find_contours(mask((100, 50, 600, 30)), **LIMITS)
    assert {tuple(point) for point in contour.tolist()} == {(100, 50), (699, 50), (100, 79), (699, 79)}


@pytest.mark.parametrize(
    ("rectangle", "kept"),
    [
        ((0, 0, 30, 18), False),  # a contour runs through pixel centres: 29 × 17 = 493 px²
        ((0, 0, 30, 19), True),  # 29 × 18 = 522 px² > 0.1 % of 500,000
        ((0, 0, 126, 5), False),  # exactly 125 × 4 = 500 px²: not more
        ((0, 0, 700, 9), False),  # 9 px high
        ((0, 0, 700, 10), True),
        ((0, 0, 9, 400), False),  # 9 px wide, 1 % of 1000 is 10
        ((0, 0, 10, 400), True),
    ],
)
def test_limits(rectangle: tuple[int, int, int, int], kept: bool) -> None:
    assert len(find_contours(mask(rectangle), **LIMITS)) == kept


def test_all_contours_count_also_those_of_holes() -> None:
    plane = mask((100, 100, 600, 200))
    plane[150:250, 200:500] = 0
    outer_and_hole = find_contours(plane, **LIMITS)
    assert sorted(int(np.ptp(contour[:, 0])) for contour in outer_and_hole) == [301, 599]


def test_an_empty_mask_has_none() -> None:
    assert find_contours(mask(), **LIMITS) == []
    assert bounding_boxes([]).shape == (0, 4)


def test_bool_masks_work_too() -> None:
    assert len(find_contours(mask((10, 10, 600, 30)).astype(bool), **LIMITS)) == 1


def test_scaling_rounds_once() -> None:
    scaled = rounded(scale_points(np.array([[3, 5], [10, 7]]), (2.55, 1.5)))
    assert scaled.tolist() == [[8, 8], [26, 10]]
    assert scaled.dtype == np.int32


def test_boxes_are_those_of_the_minimum_area_rectangle() -> None:
    level = np.array([[10, 20], [110, 20], [110, 50], [10, 50]], np.int32)
    diamond = np.array([[100, 0], [200, 100], [100, 200], [90, 190], [0, 100]], np.int32)
    boxes = bounding_boxes([level, diamond])
    assert boxes[0].tolist() == [10, 20, 101, 31]
    corners = np.rint(cv2.boxPoints(cv2.minAreaRect(diamond)))
    low, high = corners.min(axis=0), corners.max(axis=0)
    assert boxes[1].tolist() == [*low.tolist(), *(high - low + 1).tolist()]
