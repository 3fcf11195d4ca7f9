import cv2
import numpy as np
import pytest

from bec_ldv1.page.binarize import adaptive_threshold, linear_light
from bec_ldv1.page.components import ink_pieces
from bec_ldv1.page.light import _strokes, even_light, light_on_dark, lost_strokes
from support.drawn import noise, written


def ink_of(plane: np.ndarray) -> np.ndarray:
    return adaptive_threshold(linear_light(plane)) == 0


def test_a_well_exposed_page_stays_as_it_is() -> None:
    page = written(paper=215, ink=60)
    assert even_light(page) is page


@pytest.mark.parametrize("exposure", [0.8, 0.6, 0.4, 0.3])
def test_what_is_ink_does_not_depend_on_the_exposure(exposure: float) -> None:
    page = written(paper=215, ink=60)
    dark = np.rint(page * exposure).astype(np.uint8)
    wanted, got = ink_of(page), ink_of(even_light(dark))
    assert (wanted & got).sum() / (wanted | got).sum() > 0.9


def test_a_shadow_is_lit_up_and_black_borders_are_not() -> None:
    page = written(paper=215, ink=60)
    shade = np.linspace(1, 0.45, page.shape[1])
    evened = even_light(np.rint(page * shade).astype(np.uint8))
    assert (ink_of(evened) & ink_of(page)).sum() > 0.9 * ink_of(page).sum()
    bordered = np.pad(page, ((0, 0), (300, 0)), constant_values=8)
    bordered = noise(bordered, 2)
    assert ink_of(even_light(bordered))[:, 20:280].mean() < 0.002


def test_a_black_page_stays_black() -> None:
    assert even_light(np.zeros((300, 900), np.uint8)).max() == 0


def test_light_writing_on_dark_ground() -> None:
    page = written(paper=215, ink=60)
    assert light_on_dark(255 - page)
    assert not light_on_dark(page)
    assert not light_on_dark((page * 0.3).astype(np.uint8))  # only dark
    assert not light_on_dark(noise(np.full((300, 900), 40, np.uint8), 3))


def test_strokes_that_binarisation_loses() -> None:
    page = written(paper=215, ink=60)
    dark = np.rint(page * 0.3).astype(np.uint8)
    ink = adaptive_threshold(linear_light(dark))
    assert lost_strokes(dark, ink_pieces(ink))
    assert not lost_strokes(dark, ink_pieces(adaptive_threshold(linear_light(even_light(dark)))))
    assert not lost_strokes(page, ink_pieces(adaptive_threshold(linear_light(page))))


def test_strokes_out_of_focus_are_lost_and_not_absent() -> None:
    """Seen: a page that any reader would call blurred came back as blank."""
    page = cv2.GaussianBlur(written(paper=215, ink=60), (0, 0), 9)
    ink = adaptive_threshold(linear_light(even_light(page)))
    assert (ink == 0).mean() < 0.01
    assert lost_strokes(page, ink_pieces(ink))


@pytest.mark.parametrize("brightness", [30, 90, 215])
def test_bare_paper_has_no_strokes_to_lose(brightness: int) -> None:
    page = noise(np.full((512, 1800), brightness, np.uint8), 3)
    assert not lost_strokes(page, ink_pieces(np.full_like(page, 255)))


def test_strokes_are_told_from_their_ground_as_with_real_numbers() -> None:
    """The table of `_strokes` against the comparison it stands for: deeper than a share of the paper close by."""
    random = np.random.default_rng(8)
    page = written(paper=215, ink=60)
    for plane in (page, (page * 0.1).astype(np.uint8), noise(page, 9), random.integers(0, 256, (60, 90))):
        plane = np.asarray(plane, np.uint8)
        depth = cv2.morphologyEx(plane, cv2.MORPH_BLACKHAT, np.ones((15, 15), np.uint8)).astype(np.float64)
        kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
        sigma = 1.4826 * np.median(np.abs(cv2.filter2D(plane, cv2.CV_64F, kernel))) / 6
        deep = (depth > max(7 * sigma, 4)) & (100 * depth > 15 * (depth + plane))
        assert np.array_equal(_strokes(plane) > 0, deep)
