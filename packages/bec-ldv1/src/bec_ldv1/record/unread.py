"""What is on a page beside its lines: ink that looks like writing and was not read, and the network's doubt.

Letters are the connected strokes (8-connected) of about the writing's size: the median height, weighted by height, of
the strokes in the lines, or, without lines, of all that are no specks, rules or pictures. Letters beside each other
make a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.lines import Line
from bec_ldv1.page.components import components

_LEAST_HEIGHT = 4  # px of the detection plane; lower strokes are specks
_LEAST_AREA = 10
_HIGHEST = (0.2, 0.6)  # of the plane's longer and shorter side: higher ones are frames and pictures
_SMALLEST, _LARGEST = 0.35, 3.0  # a letter's height in letters' usual heights
_WIDEST = 25.0  # in its own height: head lines join letters to words, rules are longer
_FULLEST = 0.9  # share of its box: fuller ones are blocks and rules
_GAP = 1.6  # letters of a row are at most so far apart, in letters' heights
_ROW_LENGTH = 6.0  # a row is at least so long, in its own height …
_ROW_LETTERS = 5  # … and has so many letters
_ROW_HEIGHT = 2.5  # and is at most so high, in letters' heights

_MOSTLY = 0.5
_SEVERAL = 2
_UPENDED = [cv2.CC_STAT_TOP, cv2.CC_STAT_LEFT, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH, cv2.CC_STAT_AREA]
"""The columns of a stroke's box and area, rows and columns of the plane changed for each other."""


@attrs.frozen
class Beside:
    """What was seen beside a page's lines.

    Attributes:
        unread_share: share of the letters' ink that lies in no line's region, 0 to 1; 0 without letters.
        unread_rows: how many rows such letters make; on a page without lines columns count as well.
        doubt: how undecided the network was where it thought of lines: the sum of p (1 - p) over that of p; 0 is
            sure, 1 is nothing but faint traces; 0 where it thought of none.
        marked: share of the page that is ink in anything larger than specks, 0 to 1.
    """

    unread_share: float
    unread_rows: int
    doubt: float
    marked: float

    @property
    def is_writing(self) -> bool:
        """Whether most of what looks like letters, at least two rows of them, was not read."""
        return self.unread_share >= _MOSTLY and self.unread_rows >= _SEVERAL


def look_beside(
    probabilities: npt.NDArray[np.float32],
    ink: npt.NDArray[np.uint8],
    pieces: npt.NDArray[np.int32],
    lines: Sequence[Line],
) -> Beside:
    """What is beside the ``lines``; all in the pixels of the two planes (height × width, 0 is ink).

    ``pieces`` are the ink's, see `ink_pieces`.
    """
    marks = _marks(pieces)
    strokes = _strokes(marks, ink.shape)
    inside = _inside(strokes, lines, (ink.shape[0], ink.shape[1]))
    size = _usual_height(strokes[inside] if inside.any() else strokes)
    is_letter = _of_size(strokes, size)
    letters, read = strokes[is_letter], inside[is_letter]
    area = letters[:, cv2.CC_STAT_AREA].astype(np.float64)
    share = float(area[~read].sum() / area.sum()) if area.size else 0.0
    rows = _rows(letters[~read], size)
    if not lines:  # the page may lie on its side
        rows = max(rows, _rows(letters[:, _UPENDED], size))
    marked = float(marks[:, cv2.CC_STAT_AREA].sum()) / max(1, ink.size)
    return Beside(share, rows, _doubt(probabilities), marked)


def _marks(pieces: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Those that are larger than specks."""
    large = (pieces[:, cv2.CC_STAT_HEIGHT] >= _LEAST_HEIGHT) & (pieces[:, cv2.CC_STAT_AREA] >= _LEAST_AREA)
    return np.asarray(pieces[large], np.int32)


def _strokes(marks: npt.NDArray[np.int32], shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """The marks that are no frames, rules, blocks or pictures."""
    height, width, area = (marks[:, n] for n in (cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH, cv2.CC_STAT_AREA))
    keep = (
        (height <= min(_HIGHEST[0] * max(shape), _HIGHEST[1] * min(shape)))
        & (width <= _WIDEST * height)
        & (area <= _FULLEST * width * height)
    )
    return np.asarray(marks[keep], np.int32)


def _usual_height(strokes: npt.NDArray[np.int32]) -> float:
    """The median of the strokes' heights in pixels, weighted by themselves; 0 without strokes."""
    if not len(strokes):
        return 0.0
    heights = np.sort(strokes[:, cv2.CC_STAT_HEIGHT].astype(np.float64))
    weights = np.cumsum(heights)
    return float(heights[np.searchsorted(weights, weights[-1] / 2)])


def _of_size(strokes: npt.NDArray[np.int32], size: float) -> npt.NDArray[np.bool_]:
    height = strokes[:, cv2.CC_STAT_HEIGHT]
    return np.asarray((height >= _SMALLEST * size) & (height <= _LARGEST * size), np.bool_)


def _inside(
    letters: npt.NDArray[np.int32], lines: Sequence[Line], shape: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Whether each letter's centre lies in a line's region."""
    mask = np.zeros(shape, np.uint8)
    for line in lines:
        cv2.fillPoly(mask, [np.rint(line.polygon).astype(np.int32).reshape(-1, 1, 2)], 1)
    x = letters[:, cv2.CC_STAT_LEFT] + letters[:, cv2.CC_STAT_WIDTH] // 2
    y = letters[:, cv2.CC_STAT_TOP] + letters[:, cv2.CC_STAT_HEIGHT] // 2
    return np.asarray(mask[y, x] > 0, np.bool_)


def _rows(letters: npt.NDArray[np.int32], size: float) -> int:
    """How many rows letters make: drawn as boxes, closed across, and counted."""
    if len(letters) < _ROW_LETTERS:
        return 0
    left, top = letters[:, cv2.CC_STAT_LEFT], letters[:, cv2.CC_STAT_TOP]
    wide, high = letters[:, cv2.CC_STAT_WIDTH], letters[:, cv2.CC_STAT_HEIGHT]
    cell = max(size / 4, 1.0)  # a quarter of a letter is enough to tell rows apart
    shape = int((top + high).max() / cell) + 3, int((left + wide).max() / cell) + 3
    mask = np.zeros(shape, np.uint8)
    middle = top + high / 2
    reach = np.minimum(high, size) / 4  # the boxes' middle halves: tall letters don't join rows
    for x0, x1, y0, y1 in np.stack([left, left + wide, middle - reach, middle + reach], axis=1) / cell:
        mask[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1] = 1
    across = np.ones((1, 2 * round(_GAP * size / cell / 2) + 1), np.uint8)
    closed = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, across), np.uint8)
    labels, stats = components(closed)
    centres = labels[(middle / cell).astype(int), ((left + wide / 2) / cell).astype(int)]
    count = np.bincount(centres, minlength=len(stats))[1:]
    stats = stats[1:]
    row = (
        (stats[:, cv2.CC_STAT_WIDTH] >= _ROW_LENGTH * size / cell)
        & (stats[:, cv2.CC_STAT_HEIGHT] <= _ROW_HEIGHT * size / cell)
        & (count >= _ROW_LETTERS)
    )
    return int(row.sum())


def _doubt(probabilities: npt.NDArray[np.float32]) -> float:
    total = float(cv2.sumElems(probabilities)[0])
    if total < 1:
        return 0.0
    return float(cv2.sumElems(probabilities * (1 - probabilities))[0] / total)
