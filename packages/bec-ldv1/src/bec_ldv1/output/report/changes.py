"""What became of a page's lines between two runs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import attrs
import numpy as np

from bec_ldv1.evaluation.geometry import (
    Region,
    centre_inside,
    intersection_over_union,
    raster_scale,
    region_of,
)
from bec_ldv1.evaluation.matching import CENTRE_SHARE, match_one_to_one
from bec_ldv1.evaluation.pages import PageLines
from bec_ldv1.page.contours import Points

SAME_IOU = 0.8
"""Two matched lines whose regions share less (intersection over union) have moved."""


class Fate(StrEnum):
    """What became of one line."""

    SAME = "same"
    MOVED = "moved"
    GONE = "gone"
    NEW = "new"


class Change(StrEnum):
    """What became of a page, worst first."""

    FAILS = "fails"
    LOST = "lost"
    CHANGED = "changed"
    ADDED = "added"
    WORKS = "works"
    SAME = "same"


@attrs.frozen
class LineChanges:
    """The fates of the lines before and after, in their orders; ``moved`` is the sum of 1 - IoU over pairs."""

    before: tuple[Fate, ...] = ()
    after: tuple[Fate, ...] = ()
    moved: float = 0.0

    @property
    def score(self) -> float:
        """How much changed, in lines: every line gone or new counts 1, a moved one as much as it moved."""
        return self.before.count(Fate.GONE) + self.after.count(Fate.NEW) + self.moved


def compare_lines(before: Sequence[Points], after: Sequence[Points], size: tuple[int, int]) -> LineChanges:
    """Pair the lines of a page one to one and say what became of each.

    Two lines are a pair when the centre line of each runs inside the other's region over at least 70 % of its
    length, as in the evaluation. Polygons are in pixels of the page, whose width and height are ``size``.
    """
    pages = [
        PageLines("", size, tuple(np.asarray(polygon, np.float32) for polygon in polygons))
        for polygons in (before, after)
    ]
    scale, frame = raster_scale(pages)
    old, new = ([region_of(polygon, scale, frame) for polygon in page.regions] for page in pages)
    overlap = np.zeros((len(old), len(new)))
    centred = np.zeros_like(overlap)
    for i, a in enumerate(old):
        for j, b in enumerate(new):
            if a is not None and b is not None and _near(a, b):
                overlap[i, j] = intersection_over_union(a, b)
                centred[i, j] = min(centre_inside(a, b), centre_inside(b, a))
    fates_before, fates_after, moved = [Fate.GONE] * len(old), [Fate.NEW] * len(new), 0.0
    for i, j in match_one_to_one(centred >= CENTRE_SHARE, overlap + centred):
        fate = Fate.SAME if overlap[i, j] >= SAME_IOU else Fate.MOVED
        fates_before[i] = fates_after[j] = fate
        moved += 1 - overlap[i, j] if fate is Fate.MOVED else 0.0
    return LineChanges(tuple(fates_before), tuple(fates_after), moved)


def _near(a: Region, b: Region) -> bool:
    """Whether two regions' boxes share a pixel row."""
    return bool(a.y < b.y + b.mask.shape[0] and b.y < a.y + a.mask.shape[0])
