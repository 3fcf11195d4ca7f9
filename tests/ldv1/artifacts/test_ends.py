"""A last tsheg or shad just beyond a line's end is cut with it; frames, specks and neighbours are not."""

import cv2
import numpy as np
import pytest

from bec_ldv1.artifacts import PageImage, PageLines, TextLine, cut_line

WIDTH, HEIGHT, BODY = 1_200, 400, 40
LEFT, RIGHT, TOP, BOTTOM = 200, 1_000, 160, 240  # the line's outline: two bodies high


def cut(*ink: tuple[int, int, int, int], **options: object) -> np.ndarray:
    """The image of a line of square letters, on a page with more ink: left, top, right and bottom of each piece."""
    plane = np.full((HEIGHT, WIDTH), 210, np.uint8)
    for left in range(LEFT, RIGHT - 20, 40):
        plane[200 - BODY // 2 : 200 + BODY // 2, left : left + 26] = 30
    for left, top, right, bottom in ink:
        plane[top:bottom, left:right] = 30
    polygon = np.array([[LEFT, TOP], [RIGHT, TOP], [RIGHT, BOTTOM], [LEFT, BOTTOM]], np.float32)
    baseline = np.array([[LEFT, 200], [RIGHT, 200]], np.float32)
    page = PageLines("1.png", "ff", width=WIDTH, height=HEIGHT)
    return cut_line(PageImage(plane, False), page, TextLine(polygon, baseline), **options)


TSHEG = (1_010, 182, 1_020, 192)
SHAD = (1_012, 180, 1_017, 224)
PLAIN = RIGHT - LEFT + 1


@pytest.mark.parametrize("mark", [TSHEG, SHAD])
def test_a_mark_after_the_end_is_cut_with_the_line(mark):
    crop = cut(mark)
    assert crop.shape[1] == PLAIN + mark[2] - RIGHT - 1
    assert (crop[:, -3] < 100).any()
    assert cut(mark, marks=False).shape[1] == PLAIN


def test_one_mark_after_another():
    assert cut(TSHEG, (1_030, 180, 1_034, 224)).shape[1] == PLAIN + 33


def test_a_letter_that_the_end_cuts_through_is_completed():
    assert cut((995, 180, 1_012, 220)).shape[1] == PLAIN + 11
    crop = cut((190, 180, 203, 220))
    assert crop.shape[1] == PLAIN + 10
    assert (crop[:, 2] < 100).any()


@pytest.mark.parametrize(
    "other",
    [
        (1_010, 100, 1_015, 320),  # a frame
        (1_010, 162, 1_015, 236),  # a piece of a broken one
        (1_010, 182, 1_012, 183),  # a speck
        (1_010, 130, 1_020, 170),  # a neighbour's descender
        (1_034, 182, 1_044, 192),  # too far away
        (1_010, 180, 1_060, 220),  # another column's first letter
        (1_003, 180, 1_037, 220),  # a label's
        (185, 180, 192, 220),  # before the beginning
    ],
    ids=str,
)
def test_what_is_no_mark_of_the_line_is_left_out(other):
    assert cut(other).shape[1] == PLAIN


def test_a_mark_before_a_frame_is_cut_without_the_frame():
    crop = cut(TSHEG, (1_026, 100, 1_032, 320))
    assert crop.shape[1] == PLAIN + 19


def test_the_mask_lets_the_mark_be_seen_and_not_the_neighbour():
    crop = cut(TSHEG, (1_000, 250, 1_100, 290), (200, 110, 1_100, 150), pad=30)
    assert crop.shape == (BOTTOM - TOP + 1 + 60, PLAIN + 19 + 60)
    assert (crop[:30] == 210).all()
    assert (crop[-30:] == 210).all()
    assert (crop[:, -30:] == 210).all()
    assert (crop[:, -40:-30] < 100).any()


def test_marks_on_a_level_that_turns_with_the_line():
    """The same page, turned: marks are looked for along the course."""
    plane = np.full((HEIGHT, WIDTH), 210, np.uint8)
    plane[180:220, LEFT : RIGHT - 10] = 30
    plane[182:192, 1_010:1_020] = 30
    matrix = cv2.getRotationMatrix2D((600, 200), 8, 1)
    turned = cv2.warpAffine(plane, matrix, (WIDTH, HEIGHT), borderValue=210)
    corners = np.array(
        [[LEFT, TOP], [RIGHT, TOP], [RIGHT, BOTTOM], [LEFT, BOTTOM], [LEFT, 200], [RIGHT, 200]]
    )
    moved = (corners @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    page = PageLines("1.png", "ff", width=WIDTH, height=HEIGHT)
    crop = cut_line(PageImage(turned, False), page, TextLine(moved[:4], moved[4:]))
    assert crop.shape[1] == pytest.approx(PLAIN + 20, abs=2)


def test_what_hardly_differs_from_the_paper_is_no_mark():
    page = PageLines("1.png", "ff", width=WIDTH, height=HEIGHT)
    plane = np.full((HEIGHT, WIDTH), 210, np.uint8)
    plane[180:220, RIGHT - 100 : RIGHT - 10] = 180
    plane[182:192, 1_010:1_020] = 180
    polygon = np.array([[LEFT, TOP], [RIGHT, TOP], [RIGHT, BOTTOM], [LEFT, BOTTOM]], np.float32)
    line = TextLine(polygon, np.array([[LEFT, 200], [RIGHT, 200]], np.float32))
    assert cut_line(PageImage(plane, False), page, line).shape[1] == PLAIN
