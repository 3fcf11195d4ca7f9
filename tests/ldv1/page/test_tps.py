import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from bec_ldv1.errors import PageProblem
from bec_ldv1.page.tps import ControlPoints, Spline

CORNERS = [[0, 0], [1999, 0], [0, 499], [1999, 499]]
BOWED = np.array([[120, 200], [560, 236], [1020, 251], [1480, 240], [1880, 203], *CORNERS], float)
FLAT = np.array([[120, 226], [560, 226], [1020, 226], [1480, 226], [1880, 226], *CORNERS], float)
POINTS = ControlPoints(BOWED, FLAT)
SOMEWHERE = np.random.default_rng(2).uniform((0, 0), (1999, 499), (300, 2))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 5000.0])
def test_against_scipy(alpha: float) -> None:
    oracle = RBFInterpolator(FLAT, BOWED, kernel="thin_plate_spline", smoothing=alpha, degree=1)
    np.testing.assert_allclose(Spline.fit(POINTS, alpha).to_input(SOMEWHERE), oracle(SOMEWHERE), atol=1e-6)


def test_the_maps_are_the_spline_at_every_pixel() -> None:
    spline = Spline.fit(POINTS)
    map_x, map_y = spline.input_maps(2000, 500)
    assert map_x.shape == map_y.shape == (500, 2000)
    pixels = np.rint(SOMEWHERE).astype(int)
    sampled = np.column_stack((map_x[pixels[:, 1], pixels[:, 0]], map_y[pixels[:, 1], pixels[:, 0]]))
    np.testing.assert_allclose(sampled, spline.to_input(pixels.astype(float)), atol=0.01)


def test_it_maps_outputs_to_inputs() -> None:
    mapped = Spline.fit(POINTS, alpha=0.0).to_input(FLAT)
    np.testing.assert_allclose(mapped, BOWED, atol=1e-6)


def test_there_and_back() -> None:
    spline = Spline.fit(POINTS)
    np.testing.assert_allclose(spline.to_input(spline.to_output(SOMEWHERE)), SOMEWHERE, atol=2e-3)


def test_back_where_the_page_is_stretched_by_much() -> None:
    spline = Spline.fit(ControlPoints(BOWED * [1, 3], FLAT))
    np.testing.assert_allclose(spline.to_output(spline.to_input(SOMEWHERE)), SOMEWHERE, atol=0.01)


@pytest.mark.parametrize("bow", [-120, 150])
def test_back_on_a_page_that_is_bowed_by_much(bow: float) -> None:
    bent = FLAT.copy()
    bent[:5, 1] += bow * (1 - ((FLAT[:5, 0] - 1_000) / 900) ** 2)
    spline = Spline.fit(ControlPoints(bent, FLAT))
    np.testing.assert_allclose(spline.to_output(spline.to_input(SOMEWHERE)), SOMEWHERE, atol=0.01)


def test_a_fold_has_no_way_back() -> None:
    folded = BOWED.copy()
    folded[:5, 1] = [10, 480, 20, 490, 0]
    with pytest.raises(PageProblem, match="bowed too strongly"):
        Spline.fit(ControlPoints(folded, FLAT)).to_output(SOMEWHERE)


def test_a_page_that_is_mirrored_has_no_way_back() -> None:
    mirrored = Spline.fit(ControlPoints(BOWED * [-1, 1], FLAT))
    with pytest.raises(PageProblem, match="bowed too strongly"):
        mirrored.to_output(SOMEWHERE)


def test_points_on_one_line_admit_no_spline() -> None:
    same = np.zeros((4, 2))
    with pytest.raises(PageProblem, match="no spline"):
        Spline.fit(ControlPoints(same, same))


def test_rows_are_in_y_in_x_out_y_out_x() -> None:
    rows = POINTS.rows()
    assert rows.shape == (9, 4)
    assert rows.dtype == np.float32
    assert rows[1].tolist() == [236, 560, 226, 560]
    again = ControlPoints.from_rows(rows)
    np.testing.assert_array_equal(again.inputs, BOWED)
    np.testing.assert_array_equal(again.outputs, FLAT)


def test_scaling_the_points_scales_the_spline() -> None:
    scaled = Spline.fit(POINTS.scaled((4.0, 4.0)))
    np.testing.assert_allclose(
        scaled.to_input(SOMEWHERE * 4) / 4, Spline.fit(POINTS).to_input(SOMEWHERE), atol=0.05
    )
