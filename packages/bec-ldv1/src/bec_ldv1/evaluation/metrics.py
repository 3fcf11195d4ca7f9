"""What is counted on one page. ``docs/evaluation.md`` gives every definition in words."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.evaluation.geometry import (
    Region,
    centre_inside,
    intersection_over_union,
    paint,
    raster_scale,
    region_of,
)
from bec_ldv1.evaluation.matching import CENTRE_SHARE, IOU_SHARE, match_one_to_one
from bec_ldv1.evaluation.pages import PageLines, document_of

COVER_SHARE = 0.5
"""Share of a centre line inside a region from which on the region "covers" that line."""

MATCHED, MERGED, SPLIT, MISSED, SPURIOUS, IGNORED = (
    "matched",
    "merged",
    "split",
    "missed",
    "spurious",
    "ignored",
)


@attrs.frozen
class PageScore:
    """One page's counts. ``truth_fates`` and ``detection_fates`` say what became of each line, in order.

    ``counted`` detections are all but the ignored ones. ``has_regions`` is False when the truth is a number
    of lines only: then ``matched`` and what follows from it are 0 and don't enter a set's F1. ``without_outline``
    counts lines of the truth that could not be compared.
    """

    image: str
    document: str
    script: str
    has_regions: bool
    truth_lines: int
    detections: int
    ignored: int
    matched: int = 0
    matched_iou: int = 0
    missed: int = 0
    spurious: int = 0
    merged: int = 0
    split: int = 0
    pixel_intersection: int = 0
    pixel_union: int = 0
    truth_fates: tuple[str, ...] = ()
    detection_fates: tuple[str, ...] = ()
    without_outline: int = 0

    @property
    def counted(self) -> int:
        """Detections that are not ignored."""
        return self.detections - self.ignored

    @property
    def count_error(self) -> int:
        """Counted detections minus true lines: positive when there are too many."""
        return self.counted - self.truth_lines

    @property
    def pixel_iou(self) -> float | None:
        """Common area over joint area of all lines; None when neither side has any."""
        return self.pixel_intersection / self.pixel_union if self.pixel_union else None


@attrs.frozen(eq=False)
class _Pairs:
    """All pairs' numbers, truth×detections."""

    truth_in: NDArray[np.float64]  # share of the truth's centre line inside the detection
    detection_in: NDArray[np.float64]  # share of the detection's centre line inside the truth
    iou: NDArray[np.float64]


def score_page(truth: PageLines, detected: PageLines) -> PageScore:
    """Compare the detected lines of a page with the true ones."""
    if truth.line_count is not None and not truth.regions:
        return PageScore(
            image=truth.image,
            document=document_of(truth.image),
            script=truth.script,
            has_regions=False,
            truth_lines=truth.line_count,
            detections=len(detected.regions),
            ignored=0,
            without_outline=len(truth.without_outline),
        )
    if truth.stands:  # lengths are counted in columns
        truth, detected = truth.transposed(), detected.transposed()
    scale, frame = raster_scale([truth, detected])
    true_regions = [r for p in truth.regions if (r := region_of(p, scale, frame)) is not None]
    margins = [r for p in truth.ignore if (r := region_of(p, scale, frame)) is not None]
    found = [r for p in detected.regions if (r := region_of(p, scale, frame)) is not None]
    pairs = _measure(true_regions, found)
    by_centre = np.minimum(pairs.truth_in, pairs.detection_in)
    matches = match_one_to_one(by_centre >= CENTRE_SHARE, pairs.iou + by_centre)
    by_iou = match_one_to_one(pairs.iou >= IOU_SHARE, pairs.iou)
    outside = _outside(found, true_regions, margins, frame)
    truth_fates, detection_fates, merged, split = _fates(pairs, matches, outside)
    counted = [r for r, fate in zip(found, detection_fates, strict=True) if fate != IGNORED]
    truth_mask, found_mask = paint(true_regions, frame), paint(counted, frame)
    return PageScore(
        image=truth.image,
        document=document_of(truth.image),
        script=truth.script,
        has_regions=True,
        truth_lines=len(true_regions),
        detections=len(found),
        ignored=detection_fates.count(IGNORED),
        matched=len(matches),
        matched_iou=len(by_iou),
        missed=truth_fates.count(MISSED),
        spurious=detection_fates.count(SPURIOUS),
        merged=merged,
        split=split,
        pixel_intersection=int((truth_mask & found_mask).sum()),
        pixel_union=int((truth_mask | found_mask).sum()),
        truth_fates=tuple(truth_fates),
        detection_fates=tuple(detection_fates),
        without_outline=len(truth.without_outline),
    )


def _measure(truth: Sequence[Region], found: Sequence[Region]) -> _Pairs:
    shape = (len(truth), len(found))
    pairs = _Pairs(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    for i, line in enumerate(truth):
        for j, other in enumerate(found):
            pairs.truth_in[i, j] = centre_inside(line, other)
            pairs.detection_in[i, j] = centre_inside(other, line)
            pairs.iou[i, j] = intersection_over_union(line, other)
    return pairs


def _outside(
    found: Sequence[Region], truth: Sequence[Region], margins: Sequence[Region], frame: tuple[int, int]
) -> list[bool]:
    """For each detection: does most of its centre line lie outside the lines' bounding box or in a margin?

    A page without lines has no bounding box: there only the margins excuse a detection.
    """
    blank = paint(margins, frame)
    if truth:
        x0, y0 = min(r.x for r in truth), min(r.y for r in truth)
        x1 = max(r.x + r.mask.shape[1] for r in truth)
        y1 = max(r.y + r.mask.shape[0] for r in truth)
        beyond = np.ones_like(blank)
        beyond[y0:y1, x0:x1] = False
        blank = blank | beyond
    return [bool(blank[r.centre_y, r.centre_x].mean() > COVER_SHARE) for r in found]


def _fates(
    pairs: _Pairs, matches: list[tuple[int, int]], outside: list[bool]
) -> tuple[list[str], list[str], int, int]:
    """What became of each true line and each detection; the number of merges and of splits.

    Order of the rules: matched, ignored, merged, split; what is left over is missed or spurious.
    """
    truths, detections = pairs.iou.shape
    truth_fate, found_fate = [MISSED] * truths, [SPURIOUS] * detections
    for i, j in matches:
        truth_fate[i] = found_fate[j] = MATCHED
    for j in range(detections):
        if found_fate[j] == SPURIOUS and outside[j]:
            found_fate[j] = IGNORED
    merged = 0
    for j in range(detections):
        covered = [i for i in range(truths) if pairs.truth_in[i, j] >= COVER_SHARE]
        lost = [i for i in covered if truth_fate[i] == MISSED]
        if len(covered) >= 2 and lost and found_fate[j] != IGNORED:
            merged += 1
            for i in lost:
                truth_fate[i] = MERGED
            if found_fate[j] == SPURIOUS:
                found_fate[j] = MERGED
    split = 0
    for i in range(truths):
        pieces = [
            j
            for j in range(detections)
            if pairs.detection_in[i, j] >= CENTRE_SHARE and found_fate[j] in (SPURIOUS, MATCHED)
        ]
        extra = [j for j in pieces if found_fate[j] == SPURIOUS]
        if len(pieces) >= 2 and extra:
            split += 1
            for j in extra:
                found_fate[j] = SPLIT
            if truth_fate[i] == MISSED:
                truth_fate[i] = SPLIT
    return truth_fate, found_fate, merged, split
