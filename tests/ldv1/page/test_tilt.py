"""How far a page is turned, told by its ink: the sample pages, turned by angles that are known."""

import cv2
import numpy as np
import pytest

from bec_ldv1.page.binarize import adaptive_threshold
from bec_ldv1.page.rectify import Rectification
from bec_ldv1.page.tilt import tilt
from bec_ldv1.page.window import written_window
from support.sample_pages import BOOK, PECHA, sample


def askew(plane: np.ndarray, degrees: float) -> np.ndarray:
    """The page turned counter-clockwise, on white paper that its corners touch."""
    height, width = plane.shape
    cosine, sine = np.cos(np.deg2rad(degrees)), abs(np.sin(np.deg2rad(degrees)))
    size = round(width * cosine + height * sine), round(height * cosine + width * sine)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += [(size[0] - width) / 2, (size[1] - height) / 2]
    return np.asarray(cv2.warpAffine(plane, matrix, size, borderValue=(255,)))


@pytest.mark.parametrize("name", [PECHA, BOOK])
@pytest.mark.parametrize("degrees", [-10, -5, 4, 10])
def test_rows_of_writing_tell_how_far_a_page_is_turned(name: str, degrees: float) -> None:
    ink = adaptive_threshold(askew(sample(name)[0], degrees))
    assert tilt(ink, 12.0) == pytest.approx(-degrees, abs=0.5)


@pytest.mark.parametrize("name", [PECHA, BOOK])
def test_upright_pages_are_level(name: str) -> None:
    assert tilt(adaptive_threshold(sample(name)[0]), 12.0) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (700, 900)])
def test_what_has_no_rows_is_level(shape: tuple[int, int]) -> None:
    assert tilt(np.full(shape, 255, np.uint8), 12.0) == 0
    specks = np.where(np.random.default_rng(1).random(shape) < 0.1, 0, 255).astype(np.uint8)
    assert tilt(specks, 12.0) == 0


@pytest.mark.parametrize("degrees", [-10, 10])
def test_a_window_shows_the_leaf_without_the_wedges_around_it(degrees: float) -> None:
    leaf = np.full((400, 1600), 255, np.uint8)
    ink = askew(leaf, degrees)
    window = written_window(ink, Rectification(ink.shape[1], ink.shape[0], -degrees))
    assert (window.width, window.height) == pytest.approx((1600, 400), abs=4)


def test_a_window_shows_what_lies_in_the_corners_of_the_scan() -> None:
    """A scan that cuts off the leaf's corners: made level in its frame, what lies in its own would be lost."""
    ink = np.full((300, 1500), 255, np.uint8)
    ends = [(x, y) for x in (40, 1460) for y in (20, 280)]
    for x, y in ends:
        ink[y - 12 : y + 12, x - 20 : x + 20] = 0
    level = Rectification(1500, 300, -10.0)
    window = written_window(ink, level)
    seen = level.warp(ink, window, 255)
    assert np.count_nonzero(seen < 128) == pytest.approx(np.count_nonzero(ink == 0), rel=0.03)
    for end in ends:
        ((x, y),) = level.to_rotated(np.array([end], float)) - [window.left, window.top]
        assert seen[round(y), round(x)] == 0
    assert np.count_nonzero(level.warp(ink, ground=255) < 128) < 0.6 * np.count_nonzero(ink == 0)
