import numpy as np
import pytest

from bec_ldv1.page.decode import PageImage
from bec_ldv1.page.scale import detection_scale, detection_size, enlarged_size, shrink


@pytest.mark.parametrize(
    ("original", "expected", "why"),
    [
        ((2550, 500), (2550, 500), "a leaf lower than one row is not enlarged"),
        ((3000, 900), (1706, 512), "a leaf fills one row"),
        ((10528, 2176), (2477, 512), "a big leaf too"),
        ((20000, 1000), (4096, 204), "a very long leaf is as wide as allowed"),
        ((2500, 1000), (2500, 1000), "2.5 times as wide is not yet a leaf"),
        ((2501, 1000), (1280, 512), "but a little more is"),
        ((2550, 3300), (791, 1024), "a book page gets two rows"),
        ((1000, 600), (1000, 600), "92 px above the boundary: too far to snap"),
        ((1000, 590), (867, 512), "78 px above the boundary snaps down to it"),
        ((1000, 591), (1000, 591), "79 px does not"),
        ((1000, 1025), (999, 1024), "just above two rows snaps to two"),
        ((1000, 1500), (682, 1024), "more than two rows are capped"),
        ((900, 500), (900, 500), "raising to one row would enlarge, so nothing is done"),
        ((9000, 3700), (2490, 1024), "the cap decides, not the widest width"),
        ((100, 100), (100, 100), "small pages stay"),
    ],
)
def test_detection_size(original: tuple[int, int], expected: tuple[int, int], why: str) -> None:
    assert detection_size(*original) == expected, why


def test_a_height_just_short_of_one_row_asks_for_one() -> None:
    assert detection_scale(900, 400) == pytest.approx(1.28)
    assert detection_scale(900, 384) == 1.0
    assert detection_scale(900, 512) == 1.0


def test_no_page_grows_or_gets_a_third_row() -> None:
    for width in range(200, 12_000, 97):
        for height in range(150, 5_000, 61):
            new_width, new_height = detection_size(width, height)
            assert 1 <= new_width <= min(width, 4096)
            assert 1 <= new_height <= min(height, 1024)


def area_average(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    """Every output pixel is the mean of the input it covers, with fractional edges."""

    def weights(n_in: int, n_out: int) -> np.ndarray:
        step = n_in / n_out
        starts = np.arange(n_out)[:, None] * step
        pixels = np.arange(n_in)[None]
        return np.clip(np.minimum(starts + step, pixels + 1) - np.maximum(starts, pixels), 0, None) / step

    return weights(plane.shape[0], height) @ plane @ weights(plane.shape[1], width).T


def test_grey_is_averaged_over_areas() -> None:
    plane = np.random.default_rng(1).integers(0, 256, (900, 2400), dtype=np.uint8)
    small = shrink(PageImage(plane, bilevel=False))
    assert small.shape == (512, 1365)
    expected = area_average(plane.astype(float), 1365, 512)
    assert np.abs(small - expected).max() <= 1


def test_bilevel_stays_bilevel() -> None:
    plane = np.where(np.random.default_rng(1).random((900, 2400)) > 0.2, 255, 0).astype(np.uint8)
    small = shrink(PageImage(plane, bilevel=True))
    rows, columns = (np.arange(512) * 900 / 512).astype(int), (np.arange(1365) * 2400 / 1365).astype(int)
    np.testing.assert_array_equal(small, plane[rows][:, columns])


def test_a_page_is_never_enlarged() -> None:
    plane = np.zeros((200, 900), np.uint8)
    assert shrink(PageImage(plane, bilevel=False)) is plane


@pytest.mark.parametrize(
    ("original", "expected", "why"),
    [
        ((3000, 900), None, "a leaf of more than one row is large enough"),
        ((1700, 480), None, "and so is one that is nearly as high"),
        ((1280, 256), (2560, 512), "a leaf is brought to one row"),
        ((640, 100), (2560, 400), "by four times at most"),
        ((2000, 100), (4096, 204), "and to the widest width"),
        ((700, 900), (796, 1024), "other pages are brought to two rows"),
        ((400, 512), (800, 1024), "also from one"),
        ((900, 1000), None, "nearly two rows are large enough"),
    ],
)
def test_small_pages_are_enlarged(
    original: tuple[int, int], expected: tuple[int, int] | None, why: str
) -> None:
    assert enlarged_size(*original) == expected, why
