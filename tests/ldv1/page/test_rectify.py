import cv2
import numpy as np
import pytest
from scipy import ndimage

from bec_ldv1.page.decode import upright
from bec_ldv1.page.orientation import stored_angle, to_stored, to_upright, turned
from bec_ldv1.page.rectify import Rectification
from bec_ldv1.page.tps import ControlPoints, Spline

WIDTH, HEIGHT = 900, 300
CORNERS = [[0, 0], [899, 0], [0, 299], [899, 299]]
BOWED = np.array([[60, 120], [250, 150], [450, 160], [650, 148], [840, 118], *CORNERS], float)
FLAT = BOWED.copy()
FLAT[:5, 1] = BOWED[:5, 1].mean()
SPLINE = Spline.fit(ControlPoints(BOWED, FLAT))
BOTH = Rectification(WIDTH, HEIGHT, 2.0, SPLINE)


def smooth_page() -> np.ndarray:
    noise = np.random.default_rng(4).uniform(0, 255, (HEIGHT, WIDTH))
    return np.clip(ndimage.gaussian_filter(noise, 3) * 3 - 255, 0, 255).astype(np.uint8)


def test_positive_angles_turn_counter_clockwise() -> None:
    right_of_centre = np.array([[850.0, 150.0]])
    turned = Rectification(WIDTH, HEIGHT, 90.0).to_rectified(right_of_centre)
    np.testing.assert_allclose(turned, [[450, -250]], atol=1e-9)


def test_rotation_against_scipy() -> None:
    page = smooth_page()
    turn = Rectification(WIDTH, HEIGHT, 3.0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    sources = turn.to_page(np.column_stack((columns.ravel(), rows.ravel())).astype(float))
    expected = ndimage.map_coordinates(page, sources.T[::-1], order=1, mode="grid-constant", cval=0)
    difference = np.abs(turn.warp(page).astype(int) - expected.reshape(HEIGHT, WIDTH))
    assert np.percentile(difference, 99) <= 4  # OpenCV samples at 1/32 px
    assert turn.warp(page)[0, 0] == 0


def test_spline_warp_against_scipy() -> None:
    page = smooth_page()
    bend = Rectification(WIDTH, HEIGHT, spline=SPLINE)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    sources = bend.to_page(np.column_stack((columns.ravel(), rows.ravel())).astype(float))
    expected = ndimage.map_coordinates(page, sources.T[::-1], order=1, mode="grid-constant", cval=0)
    difference = np.abs(bend.warp(page).astype(int) - expected.reshape(HEIGHT, WIDTH))
    assert np.percentile(difference, 99) <= 4


def test_a_bowed_line_becomes_straight() -> None:
    x = np.arange(60, 841)
    y = np.interp(x, BOWED[:5, 0], BOWED[:5, 1])
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    cv2.polylines(page, [np.column_stack((x, np.rint(y))).astype(np.int32)], False, 0, 5)
    straight = Rectification(WIDTH, HEIGHT, spline=SPLINE).warp(page)
    near = straight[100:200]  # below the line, the border that the spline pulls in is black too
    middles = [np.flatnonzero(near[:, column] < 128).mean() for column in (60, 250, 450, 650, 840)]
    assert np.ptp(middles) < 3


def test_points_and_pixels_agree() -> None:
    page = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(page, (300, 140), 4, 255, -1)
    (expected,) = BOTH.to_rectified(np.array([[300.0, 140.0]]))
    rows, columns = np.nonzero(BOTH.warp(page) > 128)
    np.testing.assert_allclose([columns.mean(), rows.mean()], expected, atol=0.3)


def test_there_and_back() -> None:
    points = np.random.default_rng(3).uniform((50, 50), (850, 250), (100, 2))
    np.testing.assert_allclose(BOTH.to_page(BOTH.to_rectified(points)), points, atol=0.01)


def test_nothing_to_do_changes_nothing() -> None:
    page = smooth_page()
    assert Rectification(WIDTH, HEIGHT).warp(page) is page


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_of_upright_pages_in_the_stored_raster(orientation: int) -> None:
    stored = np.zeros((30, 50), np.uint8)
    stored[7, 41] = 1
    page = upright(stored, orientation)
    (row,), (column,) = np.nonzero(page)
    point = to_stored(np.array([[column, row]], float), orientation, page.shape[1], page.shape[0])
    assert point.tolist() == [[41, 7]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotating_upright_is_rotating_stored(orientation: int) -> None:
    stored_size = (600, 400)
    width, height = stored_size if orientation < 5 else stored_size[::-1]
    points = np.random.default_rng(1).uniform((0, 0), (width, height), (20, 2))
    turned = Rectification(width, height, 4.0).to_rectified(points)
    expected = to_stored(turned, orientation, width, height)
    stored = Rectification(*stored_size, stored_angle(4.0, orientation))
    result = stored.to_rectified(to_stored(points, orientation, width, height))
    np.testing.assert_allclose(result, expected, atol=0.1)  # the centre is (w / 2, h / 2), half a pixel off


@pytest.mark.parametrize("quarter_turns", range(5))
@pytest.mark.parametrize("orientation", range(1, 9))
def test_quarter_turns_after_an_orientation(orientation: int, quarter_turns: int) -> None:
    stored = np.arange(1_500, dtype=np.uint16).reshape(30, 50)
    expected = np.rot90(upright(stored, orientation), quarter_turns)
    np.testing.assert_array_equal(upright(stored, turned(orientation, quarter_turns)), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_points_on_the_upright_page(orientation: int) -> None:
    points = np.random.default_rng(5).uniform((0, 0), (50, 30), (20, 2))
    there = to_stored(points, orientation, 50, 30)
    np.testing.assert_allclose(to_upright(there, orientation, 50, 30), points)
