"""How high a line's letters are."""

import numpy as np
import pytest

from bec_ldv1.artifacts import PageLines, TextLine, body_height
from bec_ldv1.page.contours import bounding_boxes
from support.drawn_lines import HEIGHT, WIDTH, course, outline


def page(*bands: np.ndarray) -> PageLines:
    contours = tuple(np.rint(band).astype(np.int32) for band in bands)
    boxes = bounding_boxes(contours)
    return PageLines("1.png", "ff", width=WIDTH, height=HEIGHT, contours=contours, contours_bboxes=boxes)


def test_it_is_that_of_the_lines_own_pieces():
    """On a page whose lines are bowed still, the next line's box reaches far into the line's."""
    points = course(0, 150)
    below = points + np.array([0, 60])
    line = TextLine(outline(points, 30), points)
    lines = page(outline(points[:20], 10), outline(points[22:], 10), outline(below, 20))
    assert body_height(lines, line) == pytest.approx(20, rel=0.1)
    assert body_height(lines, TextLine(outline(below, 30), below)) == pytest.approx(40, rel=0.1)


def test_a_line_without_a_piece_has_none():
    points = course()
    assert (
        body_height(page(outline(points + np.array([0, 100]), 10)), TextLine(outline(points), points)) is None
    )
