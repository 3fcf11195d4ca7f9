"""How far a page's lines are turned: numerics 7, first half."""

from collections.abc import Sequence

import cv2
import numpy as np

from bec_ldv1.page.contours import Contour

MAX_ANGLE = 5.0
MIN_ANGLE = 0.3
OUTLIER_MADS = 3.0


def contour_angle(contour: Contour) -> tuple[float, float]:
    """The minimum-area rectangle's turn in degrees, in (-45, 45], and the rectangle's area in px².

    Positive means that the line falls to the right, that is that turning the page counter-clockwise by this
    angle makes it level.
    """
    _, (width, height), angle = cv2.minAreaRect(contour)
    turned = angle % 90.0
    return (turned - 90.0 if turned > 45.0 else turned), width * height


def skew_angle(contours: Sequence[Contour], steepest: float = MAX_ANGLE) -> float | None:
    """The rotation in degrees, counter-clockwise positive, that levels the lines; None under 0.3°.

    The mean of the contours' angles within ±``steepest`` (the contract: 5°), weighted by their rectangles' areas,
    after dropping those more than 3 median absolute deviations (unscaled) from the median.
    """
    measured = [contour_angle(contour) for contour in contours]
    angles = np.array([angle for angle, _ in measured if abs(angle) <= steepest])
    areas = np.array([area for angle, area in measured if abs(angle) <= steepest])
    if not len(angles):
        return None
    distances = np.abs(angles - np.median(angles))
    near = distances <= OUTLIER_MADS * np.median(distances)
    if not areas[near].sum() > 0:
        return None
    mean = float(np.average(angles[near], weights=areas[near]))
    return mean if abs(mean) >= MIN_ANGLE else None
