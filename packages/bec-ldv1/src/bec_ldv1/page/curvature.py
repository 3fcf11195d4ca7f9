"""Whether a page's lines are bowed, and the spline's control points: numerics 7, second half."""

from collections.abc import Sequence

import attrs
import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.contours import Contour
from bec_ldv1.page.tps import ControlPoints

SLICE_WIDTH = 40


@attrs.frozen(eq=False)
class Bow:
    """A contour's course.

    Attributes:
        centres: five points x, y along the contour, from left to right.
        spread: greatest minus smallest of the centres' y, px.
        thickness: the slices' mean height, px.
    """

    centres: npt.NDArray[np.float64]
    spread: float
    thickness: float

    @property
    def curved(self) -> bool:
        """Whether the centres spread more than the contour is thick."""
        return self.spread > self.thickness


def measure(contour: Contour) -> Bow:
    """Follow a contour through five 40-px slices of its filled outline.

    The slices begin at the left end, end at a quarter, begin at the half and at three quarters, and end at
    the right end, cut off at the contour's box. A slice's centre is midway between its top and bottom rows.
    """
    left, top, width, height = cv2.boundingRect(contour)
    filled = np.zeros((height, width), dtype=np.uint8)
    cv2.drawContours(filled, [contour], 0, 1, thickness=cv2.FILLED, offset=(-left, -top))
    quarter, half = width // 4, width // 2
    centres, heights = [], []
    for start in (0, quarter - SLICE_WIDTH, half, half + quarter, width - SLICE_WIDTH):
        first, last = max(0, start), min(width, start + SLICE_WIDTH)
        last = max(last, first + 1)
        _, highest, _, rows = cv2.boundingRect(filled[:, first:last])
        centres.append((left + (first + last - 1) / 2, top + (highest + highest + rows - 1) / 2))
        heights.append(rows)
    y = [centre[1] for centre in centres]
    return Bow(np.array(centres, dtype=np.float64), max(y) - min(y), sum(heights) / len(heights))


def control_points(contours: Sequence[Contour], width: int, height: int) -> ControlPoints | None:
    """The control points that straighten a page of this size, or None when no contour is curved.

    The curved contour whose spread is nearest to the mean spread (over all contours, 0 for straight ones)
    stands for the page: its five centres go to their mean y; the page's four corners stay.
    """
    bows = [measure(contour) for contour in contours]
    if not any(bow.curved for bow in bows):
        return None
    mean_spread = np.mean([bow.spread if bow.curved else 0.0 for bow in bows])
    typical = min((bow for bow in bows if bow.curved), key=lambda bow: abs(bow.spread - mean_spread))
    flat = typical.centres.copy()
    flat[:, 1] = typical.centres[:, 1].mean()
    right, bottom = width - 1, height - 1
    corners = np.array([(0, 0), (right, 0), (0, bottom), (right, bottom)], dtype=np.float64)
    return ControlPoints(np.vstack((typical.centres, corners)), np.vstack((flat, corners)))
