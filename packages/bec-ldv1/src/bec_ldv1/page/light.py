"""The light that a page was scanned in: how bright its paper is, place by place, and which way round its writing is."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.components import components, median
from bec_ldv1.page.decode import Plane

PAPER = 190
"""Paper darker than this (sRGB) is lifted to it; brighter paper stays as it is."""

_DARKEST = (
    0.45  # of the page's paper: what is darker than that over a wide area is no paper, but bed or picture
)
_CELL = 16  # detection px: the grid that the paper is measured on
_REACH = 9  # cells: letters and frames are narrower
_DARK_GROUND = 110
_CONTRAST = 25
_STROKE_WIDTH = 11  # px at half the size: wider than strokes
_STROKE_REACH = 15  # detection px: wider than strokes
_DEPTH = 0.15  # of the paper's brightness
_LEAST_DEPTH = 4
_EXACT = 1e-9  # so that 3 / 17 of 17 is 3
_DEEPEST_NOISE = 7  # sigma: the deepest of the noise in a window of that size
_STROKE_AREA = 20
_STROKE_HEIGHT = 6  # detection px
_LONGEST = 5  # times as wide as high: the grain of wood is longer
_WRITTEN = 0.006  # share of a page: less is no writing
_KEPT = 0.4


def even_light(plane: Plane) -> Plane:
    """A grey page (uint8 height × width, sRGB) with its paper at least as bright as a good scan's.

    The paper's brightness is measured on a coarse grid as the grey closing (the dark strokes filled in), smoothed,
    and every pixel is multiplied by what brings its paper to ``PAPER``, never by less than 1: pages that
    are well exposed come back unchanged. Scaling a page's exposure scales its gain the other way.
    """
    height, width = plane.shape
    grid = max(1, -(-width // _CELL)), max(1, -(-height // _CELL))
    cells = cv2.resize(plane, grid, interpolation=cv2.INTER_AREA)
    filled = cv2.morphologyEx(cells, cv2.MORPH_CLOSE, np.ones((_REACH, _REACH), np.uint8))
    found = cv2.GaussianBlur(np.asarray(filled, np.float32), (0, 0), _REACH / 3)
    usual = float(np.percentile(found, 75))
    if usual < 1:
        return plane
    gain = np.maximum(PAPER / np.maximum(found, _DARKEST * usual), 1.0).astype(np.float32)
    if float(gain.max()) == 1.0:
        return plane
    fine = np.asarray(cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR))
    return np.asarray(cv2.multiply(plane, fine, dtype=cv2.CV_8U), np.uint8)


def lost_strokes(plane: Plane, ink: npt.NDArray[np.int32]) -> bool:
    """Whether a grey page (uint8 height × width) has strokes most of which are not among its ink's `ink_pieces`.

    Only pieces as large as a letter's strokes count, on both sides, so that specks do not. Strokes are looked for at
    half the size, too: on a page out of focus they are too wide and shallow to be seen close by.
    """
    found = [_strokes(one) for one in (plane, np.asarray(cv2.pyrDown(plane), np.uint8))]
    kept = _stroke_share(ink, plane.size)
    for mask in found:
        most = cv2.countNonZero(mask) / max(1, mask.size)  # if no piece is a speck
        if most <= _WRITTEN or kept >= _KEPT * most:
            continue
        there = _stroke_share(components(mask)[1][1:], mask.size)
        if there > _WRITTEN and kept < _KEPT * there:
            return True
    return False


def _strokes(plane: Plane) -> Plane:
    """255 where a page is darker than the paper close by, by more than a share of its brightness and than its noise.

    The noise is measured as the median of the Laplacian that Immerkær (1996) uses, so that edges don't count. One of
    255 and more is deeper than any stroke.
    """
    kernel = np.ones((_STROKE_REACH, _STROKE_REACH), np.uint8)
    depth = np.asarray(cv2.morphologyEx(plane, cv2.MORPH_BLACKHAT, kernel), np.uint8)
    line = np.array([1, -2, 1], np.float32)
    laplacian = np.asarray(cv2.convertScaleAbs(cv2.sepFilter2D(plane, cv2.CV_16S, line, line)), np.uint8)
    sigma = 1.4826 * median(laplacian) / 6
    least = max(_DEEPEST_NOISE * sigma, _LEAST_DEPTH)
    # depth > share × (brightness + depth), of whole numbers
    share = np.floor(_DEPTH / (1 - _DEPTH) * np.arange(256) + _EXACT)
    table = np.minimum(np.maximum(share, np.floor(least)), 255).astype(np.uint8)
    return np.asarray(cv2.compare(depth, cv2.LUT(plane, table), cv2.CMP_GT), np.uint8)


def _stroke_share(pieces: npt.NDArray[np.int32], size: int) -> float:
    """The share of a page of so many pixels that is covered by pieces of a stroke's size."""
    strokes = (pieces[:, cv2.CC_STAT_AREA] >= _STROKE_AREA) & (
        pieces[:, cv2.CC_STAT_HEIGHT] >= _STROKE_HEIGHT
    )
    return float(pieces[strokes, cv2.CC_STAT_AREA].sum()) / max(1, size)


def light_on_dark(plane: Plane) -> bool:
    """Whether a page's writing is lighter than its ground, as gold on blackened paper is.

    The ground, the median, must be dark, and thin strokes (top-hat and bottom-hat, Serra 1982) that are lighter than
    it at least three times as many as those that are darker.
    """
    ground = median(plane)
    if ground > _DARK_GROUND:
        return False
    small = plane[::2, ::2]
    kernel = np.ones((_STROKE_WIDTH, _STROKE_WIDTH), np.uint8)
    light = (small > ground + _CONTRAST) & (cv2.morphologyEx(small, cv2.MORPH_TOPHAT, kernel) > _CONTRAST)
    dark = (small < ground - _CONTRAST) & (cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, kernel) > _CONTRAST)
    there = int(np.count_nonzero(light))
    return there > _WRITTEN * small.size and there > 3 * int(np.count_nonzero(dark))
