"""Grey to ink and paper: numerics 2."""

from functools import cache

import cv2
import numpy as np

from bec_ldv1.page.decode import Plane

BLOCK = 31
C = 15


@cache
def _linear_table() -> Plane:
    """sRGB to linear light (IEC 61966-2-1), 8 bits to 8 bits, rounded to nearest."""
    encoded = np.arange(256) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return np.floor(linear * 255 + 0.5).astype(np.uint8)


def linear_light(plane: Plane) -> Plane:
    """A grey sRGB plane in linear light, 8 bits."""
    return np.asarray(cv2.LUT(plane, _linear_table()), dtype=np.uint8)


def adaptive_threshold(plane: Plane) -> Plane:
    """Ink 0 and paper 255: ink where a pixel is not brighter than the Gaussian mean around it minus 15.

    The window is 31 × 31 px with OpenCV's sigma for that size (5), borders replicated.
    """
    return np.asarray(
        cv2.adaptiveThreshold(plane, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, BLOCK, C),
        dtype=np.uint8,
    )


def binarize(plane: Plane, *, bilevel: bool) -> Plane:
    """What the network sees of a detection-size plane: {0, 255}. A bilevel plane is returned as it is."""
    return plane if bilevel else adaptive_threshold(linear_light(plane))
