"""Bringing a line's image to the network's measure: letters' bodies of one height, at one place, paper white.

A crop's height says little of its letters' size: leaves differ in how far their lines are apart, detectors in how
much they cut. So a crop is scaled by the height of its letters' bodies (from the headline to the foot of a plain
letter), and training scales with the same code.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]

HEIGHT = 80
"""Rows of a prepared line."""
BODY = 20
"""Rows of a plain letter's body."""
TOP = 21
"""The row of the headline: vowels above take about a body's height, stacks below up to two."""
END = 16
"""Columns of paper before and after the line."""

_ROOM = 0.35  # bodies of paper around a crop, so that scaling doesn't smear its edge


def levels(image: Gray) -> tuple[float, float]:
    """Return the grey values of ink and paper: the means on both sides of Otsu's threshold."""
    threshold = int(cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0])
    counts = cv2.calcHist([image], [0], None, [256], [0, 256]).reshape(-1).astype(np.float64)
    sums = counts * np.arange(256)
    dark, light = counts[: threshold + 1].sum(), counts[threshold + 1 :].sum()
    if not dark or not light:
        value = float(sums.sum() / max(dark + light, 1))
        return value - 1.0, value
    return float(sums[: threshold + 1].sum() / dark), float(sums[threshold + 1 :].sum() / light)


def stretched(image: Gray) -> Gray:
    """Return the image with its ink black and its paper white; one without contrast comes out as paper."""
    ink, paper = levels(image)
    if paper - ink < 24:
        return np.full(image.shape, 255, np.uint8)
    table = np.clip((np.arange(256) - ink) * (255.0 / (paper - ink)), 0, 255)
    return np.asarray(cv2.LUT(image, np.rint(table).astype(np.uint8)), np.uint8)


def prepared(image: Gray, top: float, bottom: float) -> Gray:
    """Return a line as the network reads it: uint8, `HEIGHT` rows, ink dark on white paper.

    Args:
        image: the line as it was cut, grey, paper light.
        top, bottom: rows of the image between which plain letters' bodies stand.
    """
    return scaled(stretched(image), top, bottom)


def scaled(plain: Gray, top: float, bottom: float) -> Gray:
    """Return the same of an image whose grey values are stretched already."""
    scale = BODY / max(bottom - top, 1.0)
    room = max(1, round(_ROOM * (bottom - top)))
    plain = np.asarray(cv2.copyMakeBorder(plain, room, room, 0, 0, cv2.BORDER_CONSTANT, value=255), np.uint8)
    size = (max(1, round(plain.shape[1] * scale)), max(1, round(plain.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(plain, size, interpolation=method), np.uint8)
    out = np.full((HEIGHT, small.shape[1] + 2 * END), 255, np.uint8)
    shift = TOP - round((top + room) * scale)
    first, last = max(0, shift), min(HEIGHT, shift + small.shape[0])
    if first < last:
        out[first:last, END : END + small.shape[1]] = small[first - shift : last - shift]
    return out
