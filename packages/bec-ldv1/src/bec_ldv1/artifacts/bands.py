"""How large a line's letters are, by the bands that detection found."""

from __future__ import annotations

import cv2
import numpy as np

from bec_ldv1.artifacts.frames import to_rectified
from bec_ldv1.artifacts.pages import PageLines, TextLine
from bec_ldv1.page.contours import Contour

_CELLS = 4_096  # along a contour's longer side: what its overlap is counted in


def body_height(page: PageLines, line: TextLine) -> float | None:
    """The height of a line's band in pixels, which is about that of its letters' bodies, without vowels and feet.

    It is the mean over the contract's contours inside the line, by their length; None where there are none.

    Raises:
        ValueError: the page's size is not known.
        PageProblem: the recorded spline folds there, or its points admit none.
    """
    outline = np.rint(to_rectified(page, line.polygon)).astype(np.int32)
    left, top = outline.min(axis=0).tolist()
    right, bottom = outline.max(axis=0).tolist()
    area = length = 0.0
    for contour, (x, y, width, height) in zip(page.contours, page.contours_bboxes.tolist(), strict=True):
        near = left <= x + width / 2 <= right and top <= y + height / 2 <= bottom
        if near and _mostly_inside(contour, outline):
            area += cv2.contourArea(contour)
            length += max(cv2.minAreaRect(contour)[1])
    return area / length if length else None


def _mostly_inside(contour: Contour, outline: Contour) -> bool:
    """Whether more than half of a contour's area lies inside an outline."""
    corner, reach = contour.min(axis=0), np.ptp(contour, axis=0)
    cell = 1 + int(reach.max()) // _CELLS
    width, height = (reach // cell + 1).tolist()
    own, other = np.zeros((2, height, width), np.uint8)
    cv2.fillPoly(own, [(contour - corner) // cell], 1)
    cv2.fillPoly(other, [(outline - corner) // cell], 1)
    return 2 * cv2.countNonZero(own & other) > cv2.countNonZero(own)
