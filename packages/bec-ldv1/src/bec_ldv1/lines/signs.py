"""Vowel signs that a network takes for a line above the line to which they belong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.band import straightened_ink
from bec_ldv1.lines.drafts import Draft
from bec_ldv1.lines.ranks import median
from bec_ldv1.lines.scraps import nearness, pitch_of, usual_body

_LOWER = 0.8  # signs' bands are lower than this share of their line's
_SPARSE = 0.7  # share of the columns with ink; letters have it in more …
_OF_LINE = 0.8  # … and over that of the line below
_OF_PITCH = 0.85  # farthest that signs stand above their line, in distances between lines
_FARTHEST = 4.5  # … and in bodies of the line


def lines_and_signs(drafts: Sequence[Draft], ink: NDArray[np.uint8]) -> tuple[list[Draft], list[Draft]]:
    """The drafts parted into lines and rows of vowel signs: low bands of few strokes with gaps, right above a line.

    ``ink`` is the half-size plane (1 is ink).
    """
    highest = max((d.body for d in drafts), default=0.0)
    if all(d.body > _LOWER * highest for d in drafts):
        return list(drafts), []
    high = _LOWER * usual_body(drafts)
    pitch = pitch_of([d for d in drafts if d.body > high])  # signs' own distance would make them a line
    lines: list[Draft] = []
    signs: list[Draft] = []
    for draft in drafts:
        below = [d for d in drafts if d.body * _LOWER >= draft.body and _is_right_below(d, draft, pitch)]
        (signs if below and _is_sparse(draft, below, ink) else lines).append(draft)
    return lines, signs


def reach_over(line: Draft, signs: Sequence[Draft], reach: tuple[float, float]) -> tuple[float, float]:
    """How far a line's ink goes above and below its band, in bodies, its vowel signs counted."""
    tops = [float(sign.top.min()) for sign in signs if _is_right_below(line, sign, None)]
    above = (median(line.top) - min(tops)) / line.body if tops else 0.0
    return max(reach[0], above), reach[1]


def _is_right_below(line: Draft, draft: Draft, pitch: float | None) -> bool:
    farthest = _FARTHEST * line.body if pitch is None else min(_OF_PITCH * pitch, _FARTHEST * line.body)
    higher = draft.level < line.level
    return higher and nearness(draft, line, farthest) > 0.5


def _is_sparse(draft: Draft, lines: Sequence[Draft], ink: NDArray[np.uint8]) -> bool:
    covered, *theirs = _covered([draft, *lines], ink)
    return covered < _SPARSE and covered < _OF_LINE * max(theirs)


def _covered(drafts: Sequence[Draft], ink: NDArray[np.uint8]) -> list[float]:
    """Share of the columns of each draft's band that have ink."""
    bands = straightened_ink(drafts, ink, [0.5] * len(drafts))
    return [float(band.columns.any(axis=1).mean()) for band in bands]
