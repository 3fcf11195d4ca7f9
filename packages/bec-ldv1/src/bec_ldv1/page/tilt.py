"""How far a page's writing is turned, told by its ink alone: for pages on which the network finds too little to tell.

Source: W. Postl, "Detection of linear oblique structures and skew scan in digitized documents", ICPR 1986. Rows of
writing and the gaps between them alternate most sharply in the projection profile along the writing's direction: the
squared differences of neighbouring rows' ink add up to the most there.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.decode import Plane

_CELL = 4  # detection px: finer than the gaps between lines
_STRIP = 4  # cells: over so few columns a row of writing stays in its row
_COARSE, _FINE = 0.5, 0.1  # degrees
_LEAST_INK = 0.002  # share of the page: less has no rows
_SHARPER = 1.2  # times as sharp as along the page's own rows
_ONE_IS_INK = (np.arange(256) == 0).astype(np.float32)


def tilt(ink: Plane, steepest: float) -> float:
    """The angle in degrees, counter-clockwise positive, that levels a page's rows of ink (0 is ink); 0 if none does.

    Angles up to ``steepest`` either way are looked at. The page's own rows count as level unless another direction
    shows clearly sharper ones.
    """
    strips = _strips(ink)
    if strips.mean() < _LEAST_INK:
        return 0.0
    coarse = np.arange(-steepest, steepest + _COARSE / 2, _COARSE)
    sharp = _sharpness(strips, coarse)
    best = float(coarse[sharp.argmax()])
    if sharp.max() < _SHARPER * _sharpness(strips, np.zeros(1))[0]:
        return 0.0
    fine = np.arange(best - _COARSE, best + _COARSE + _FINE / 2, _FINE)
    return float(fine[_sharpness(strips, fine).argmax()])


def _strips(ink: Plane) -> npt.NDArray[np.float64]:
    """The share of ink in upright strips of the page, cell by cell: strips × rows of cells."""
    height, width = ink.shape
    size = max(1, width // (_CELL * _STRIP)), max(1, height // _CELL)
    cells = cv2.resize(cv2.LUT(ink, _ONE_IS_INK), size, interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float64).T


def _sharpness(strips: npt.NDArray[np.float64], angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The profile's squared differences, added up, in each of these directions (degrees)."""
    count, rows = strips.shape
    across = (np.arange(count) - (count - 1) / 2) * _STRIP
    slopes = np.tan(np.deg2rad(angles))
    reach = int(np.ceil(np.abs(across).max() * np.abs(slopes).max())) + 1
    result = np.empty(len(angles))
    for index, slope in enumerate(slopes):
        row = reach + np.arange(rows)[None, :] - np.rint(across * slope).astype(int)[:, None]
        profile = np.bincount(row.ravel(), strips.ravel(), rows + 2 * reach)
        result[index] = np.square(np.diff(profile)).sum()
    return result
