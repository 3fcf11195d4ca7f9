"""What stands just beyond a line's ends: a last tsheg or shad is too little ink to be found as part of a line.

Before a line's beginning there are no such marks, but frames: there only a letter that the outline cuts through is
completed.
"""

from __future__ import annotations

import cv2
import numpy as np

from bec_ldv1.artifacts.course import Course
from bec_ldv1.page.decode import Plane

# All in heights of the line's region, which is two to three letters' bodies.
_REACH = 0.5  # so far beyond an end is looked
_GAP = 0.35  # a mark is at most so far from what stands before it
_WIDEST, _HIGHEST = 0.4, 0.72  # a mark's size; what is higher is a frame
_BEYOND = 0.25  # rows looked at above and below the region, into which frames and other lines go on
_SPECK = 0.0012  # a mark's least area, in squares of the height

_DARK, _PAPER = 0.02, 0.9  # so much of the place is at most as light as ink, and as paper
_CONTRAST = 48  # least difference of the two, in grey values


def mark_columns(plane: Plane, course: Course) -> tuple[int, int]:
    """How many columns before its beginning and after its end a line goes on with marks; 0 where it doesn't."""
    return _columns_after(plane, course.reversed(), gap=0.0), _columns_after(plane, course, gap=_GAP)


def _columns_after(plane: Plane, course: Course, *, gap: float) -> int:
    height = course.above + course.below + 1
    reach, rows = max(2, round(_REACH * height)), round(_BEYOND * height)
    inner = min(len(course.middle), height)
    map_x, map_y = course.last(inner).extended(0, reach, rows).maps()
    seen = cv2.remap(plane, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    ink = _ink(np.asarray(seen, np.uint8))
    if ink is None:
        return 0
    end = inner
    for left, top, width, high, area in _parts(ink, inner):
        if left > end + gap * height or high > _HIGHEST * height:
            break  # what follows belongs to something else, or is a frame
        if top < rows or top + high > rows + height or area < _SPECK * height**2:
            continue  # a neighbour's
        if left + width == inner + reach or (left >= inner and width > _WIDEST * height):
            break  # a letter: of another column, or of a label
        end = max(end, left + width)
    return end - inner


def _ink(seen: Plane) -> Plane | None:
    """1 where there is ink; None where nothing stands out."""
    counts = np.cumsum(cv2.calcHist([seen], [0], None, [256], [0, 256]))
    dark, paper = np.searchsorted(counts, np.array([_DARK, _PAPER]) * seen.size).tolist()
    return None if paper - dark < _CONTRAST else (seen < (dark + paper) / 2).astype(np.uint8)


def _parts(ink: Plane, inner: int) -> list[list[int]]:
    """The connected parts that reach beyond the line's last column, from there on: left, top, width, height, area."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    parts: list[list[int]] = stats[1:].tolist()
    return sorted(part for part in parts if part[0] + part[2] > inner)
