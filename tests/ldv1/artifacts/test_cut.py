"""Line images: bent lines come out straight, upright and whole."""

import numpy as np
import pytest

from bec_ldv1.artifacts import PageImage, PageLines, PageProblem, TextLine, cut_line, decode_page
from bec_ldv1.page.orientation import to_stored, turned
from support.drawn_lines import HALF, HEIGHT, WIDTH, course, drawn, outline, stored


def cut(plane: np.ndarray, polygon: np.ndarray, baseline: np.ndarray, **options: object) -> np.ndarray:
    """The line's image on an upright page."""
    page = PageLines("1.png", "ff", width=plane.shape[1], height=plane.shape[0])
    return cut_line(PageImage(plane, False), page, TextLine(polygon, baseline), **options)


def stroke_rows(crop: np.ndarray) -> np.ndarray:
    """In each column, the middle of what is dark above the feet: the stroke's own course."""
    columns = range(10, crop.shape[1] - 10)
    return np.array([np.flatnonzero(crop[:, column] < 90)[:8].mean() for column in columns])


@pytest.mark.parametrize(("degrees", "bow"), [(0, 0), (4, 0), (0, 60), (3, -50), (-8, 30)])
def test_the_course_becomes_level(degrees, bow):
    points = course(degrees, bow)
    crop = cut(drawn(points), outline(points), points)
    rows = stroke_rows(crop)
    assert np.ptp(rows) < 2.5
    assert rows.std() < 0.6
    middle = crop.shape[0] / 2
    assert rows.mean() == pytest.approx(middle, abs=2.5)


def test_the_measure_sees_a_bent_line():
    points = course(0, 60)
    upper, lower = int(points[:, 1].min()) - HALF, int(points[:, 1].max()) + HALF
    assert np.ptp(stroke_rows(drawn(points)[upper:lower, 100:1_300])) > 40


def test_lengths_are_those_of_the_page():
    points = course(4, 40)
    length = np.hypot(*np.diff(points, axis=0).T).sum()
    crop = cut(drawn(points), outline(points), points)
    assert crop.shape[1] == pytest.approx(length, rel=0.01)
    assert crop.shape[0] == pytest.approx(2 * HALF, abs=4)


def test_letters_stand_upright():
    points = course(6, 0)
    crop = cut(drawn(points), outline(points), points)
    below = crop[crop.shape[0] // 2 + 8 : crop.shape[0] // 2 + 18]
    feet = []
    for row in (below[0], below[-1]):
        columns = np.flatnonzero(row < 90)
        feet.append([part.mean() for part in np.split(columns, np.flatnonzero(np.diff(columns) > 9) + 1)])
    assert len(feet[0]) == 19
    # square to the course on the page, and so upright here; on the page they lean by 0.9 px over these rows
    assert np.abs(np.subtract(*feet)).mean() < 0.3


def test_a_short_baseline_does_not_cut_the_outlines_ends():
    points = course(3, 20)
    crop = cut(drawn(points), outline(points), points[6:-6])
    assert crop.shape[1] == pytest.approx(1_205, abs=12)
    assert np.ptp(stroke_rows(crop)) < 6


@pytest.mark.parametrize("mask", [True, False])
def test_neighbours_are_painted_over(mask):
    points = course(0, 40)
    region = outline(points)
    region[0] -= [0, 40]  # a region that is higher at one place shows the neighbour everywhere else
    region[-1] += [0, 40]
    crop = cut(drawn(points, beside=True), region, points, mask=mask)
    middle = crop.shape[0] // 2
    ink_below = (crop[middle + 30 :, 200:-50] < 90).any(axis=0).mean()
    assert ink_below < 0.05 if mask else ink_below > 0.9
    if mask:
        assert crop[-1, -100] == 200  # the paper's own grey


@pytest.mark.parametrize("quarter_turns", range(4))
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_that_are_stored_turned(orientation, quarter_turns):
    points = course(2, 30)
    plane = drawn(points)
    image = decode_page(stored(np.rot90(plane, -quarter_turns), orientation))
    width, height = image.stored_size
    way = turned(orientation, quarter_turns)
    line = TextLine(*(to_stored(part, way, WIDTH, HEIGHT) for part in (outline(points), points)))
    page = PageLines("1.png", "ff", width=width, height=height, quarter_turns=quarter_turns)
    straight = cut(plane, outline(points), points)
    upright = decode_page(stored(np.rot90(plane, -quarter_turns), orientation), page.quarter_turns)
    np.testing.assert_array_equal(upright.plane, plane)
    for seen in (image, upright):
        crop = cut_line(seen, page, line)
        assert crop.shape == straight.shape
        assert np.abs(crop.astype(int) - straight).mean() < 1


@pytest.mark.parametrize("mask", [True, False])
def test_padding(mask):
    points = course(3, 30)
    plain, padded = (
        cut(drawn(points, beside=True), outline(points), points, mask=mask, pad=pad) for pad in (0, 30)
    )
    assert np.subtract(padded.shape, plain.shape).tolist() == [60, 60]
    np.testing.assert_array_equal(padded[30:-30, 30:-30], plain)
    beside = padded[-30:, 200:-200]
    assert (beside == 200).all() if mask else (beside < 90).any(axis=0).mean() > 0.9


def test_another_image_is_refused():
    points = course()
    page = PageLines("1.png", "ff", width=700, height=250)
    with pytest.raises(PageProblem, match=r"1400 × 500 px, the recorded one was 700 × 250 px"):
        cut_line(PageImage(drawn(points), False), page, TextLine(outline(points), points))


@pytest.mark.parametrize("far", [np.nan, 1e9])
def test_what_no_line_has_costs_no_more_than_a_line(far):
    points = course()
    region = outline(points)
    region[0] = far
    page = PageLines("1.png", "ff", width=WIDTH, height=HEIGHT)
    image, line = PageImage(drawn(points), False), TextLine(region, points)
    if np.isfinite(far):
        assert cut_line(image, page, line).size < 2 * WIDTH * HEIGHT
    else:
        with pytest.raises(PageProblem, match="no numbers"):
            cut_line(image, page, line)


def test_a_line_without_a_course_is_said():
    page = PageLines("1.png", "ff", width=WIDTH, height=HEIGHT)
    line = TextLine(outline(course()), course()[:1])
    with pytest.raises(PageProblem, match="only 1 points"):
        cut_line(PageImage(drawn(course()), False), page, line)
