"""Connected pieces of a mask, and the median of a plane: what OpenCV has, by its fastest way."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]

_LEVELS = 256


def components(mask: Plane) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The 8-connected pieces of what is not 0 in a uint8 plane: each pixel's label, and each label's box and area.

    Labels are height × width, 0 is the ground; boxes and areas labels × 5, as ``cv2.CC_STAT_…`` says. Of OpenCV's
    ways to the same labels the one by 2 × 2 blocks (Grana, Borghesani and Cucchiara 2010) takes half the time of its
    usual one.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_32S, cv2.CCL_BBDT)
    return np.asarray(labels, np.int32), np.asarray(stats, np.int32)


def ink_pieces(ink: Plane) -> npt.NDArray[np.int32]:
    """Box and area of the connected pieces of a page's ink (0): n × 5, as `components` gives them."""
    return components((ink == 0).view(np.uint8))[1][1:]


def median(plane: Plane) -> float:
    """The median of a uint8 plane (at least one pixel) by its histogram: a tenth of the time of ``np.median``."""
    below = np.cumsum(cv2.calcHist([plane], [0], None, [_LEVELS], [0, _LEVELS]), dtype=np.float64)
    ranks = (plane.size - 1) // 2, plane.size // 2
    return float(np.searchsorted(below, ranks, side="right").mean())
