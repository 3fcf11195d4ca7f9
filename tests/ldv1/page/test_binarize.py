import numpy as np
from scipy import ndimage

from bec_ldv1.page.binarize import adaptive_threshold, binarize, linear_light


def page() -> np.ndarray:
    """Paper with a gradient, strokes of every darkness and noise."""
    rng = np.random.default_rng(3)
    plane = np.tile(np.linspace(150, 250, 400), (300, 1)) + rng.normal(0, 6, (300, 400))
    for y in range(20, 280, 30):
        plane[y : y + rng.integers(2, 9), 20:380] -= rng.integers(20, 160)
    return np.clip(plane, 0, 255).astype(np.uint8)


def test_linear_light_against_the_srgb_formula() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    share = grey / 255
    expected = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) * 255
    result = linear_light(grey)
    assert np.abs(result - expected).max() <= 0.5
    assert (result[0, 0], result[-1, -1]) == (0, 255)
    assert np.all(np.diff(result.ravel().astype(int)) >= 0)


def test_threshold_against_scipy() -> None:
    plane = page()
    sigma = 0.3 * ((31 - 1) * 0.5 - 1) + 0.8  # OpenCV's sigma for a window of 31
    mean = ndimage.gaussian_filter(plane.astype(float), sigma, mode="nearest", radius=15)
    expected = np.where(plane > np.rint(mean) - 15, 255, 0)
    result = adaptive_threshold(plane)
    assert set(np.unique(result)) == {0, 255}
    # OpenCV's Gaussian mean is 8-bit fixed point: a pixel may differ only where the mean is within rounding.
    differs = result != expected
    assert differs.mean() < 1e-3
    assert np.all(np.abs(plane[differs] - (mean[differs] - 15)) <= 1)


def test_ink_is_found_on_the_gradient() -> None:
    result = binarize(page(), bilevel=False)
    assert result[:15].mean() > 235  # the noise alone turns a few pixels black
    assert result[20:22, 30:370].mean() < 20


def test_bilevel_is_never_binarized_again() -> None:
    plane = np.where(page() > 128, 255, 0).astype(np.uint8)
    assert binarize(plane, bilevel=True) is plane
