"""How large a line's letters are, by the bands that detection found."""

from __future__ import annotations

import cv2
import numpy as np

from bec_ldv1.artifacts.frames import to_rectified
from bec_ldv1.artifacts.pages import PageLines, TextLine


def body_height(page: PageLines, line: TextLine) -> float | None:
    """The height of a line's band in pixels, which is about that of its letters' bodies, without vowels and feet.

    It is the mean over the contract's contours inside the line, by their length; None where there are none.

    Raises:
        ValueError: the page's size is not known.
        PageProblem: the recorded spline folds there, or its points admit none.
    """
    outline = to_rectified(page, line.polygon).astype(np.float32)
    area = length = 0.0
    for contour, (x, y, width, height) in zip(page.contours, page.contours_bboxes.tolist(), strict=True):
        if cv2.pointPolygonTest(outline, (x + width / 2, y + height / 2), False) >= 0:
            area += cv2.contourArea(contour)
            length += max(cv2.minAreaRect(contour)[1])
    return area / length if length else None
