"""Gutters that only the ink tells of: white stripes down through all lines, narrower than a network's sight.

A network bridges gaps inside lines, and so also the gap between two columns where that is as narrow as a line is high.
Gaps of single lines lie anywhere; one that goes through many lines at the same place parts columns. Where few lines
stand beside each other, it must also look like a gutter (see `edges`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.columns import LEAF
from bec_ldv1.lines.edges import inked_columns, looks_like_a_gutter, usual_body, usual_gap
from bec_ldv1.lines.fragments import STATION, Fragment, stretches
from bec_ldv1.lines.ranks import percentile

_MANY_LINES = 8  # so many beside each other need no further evidence
_FEWEST_LINES = 4
_MOST_STRIPES = 3  # between few lines more are gaps of words, or of a table
_NARROWEST = 1.2  # bodies
_CROSSING = 0.1  # share of the lines whose ink may cross (headings)
_SIDE = 6.0  # bodies of text that lines must have on either side


def white_gutters(fragments: Sequence[Fragment], ink: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """The stripes, first and last+1 pixel column each, that part most lines of a page.

    ``ink`` is the binarised plane (0 is ink). A stripe is at least 1.2 bodies wide, bands run through it or end
    beside it on both sides, and a tenth of them at most has ink in it. From eight bands on that is enough, if it
    is as wide as the page's other gaps; from four on it must look like a gutter.
    """
    if len(fragments) < _FEWEST_LINES:
        return []
    height, width = ink.shape
    body = usual_body(fragments)
    written = [inked_columns(fragment, ink) for fragment in fragments]
    inked = np.zeros(width, np.int64)
    spanned = np.zeros(width, np.int64)
    for fragment, columns in zip(fragments, written, strict=True):
        left, right = fragment.first * STATION, min(width, (fragment.last + 1) * STATION)
        inked[left:right] += columns[: right - left]
        spanned[left:right] += 1
    text = np.flatnonzero(inked)
    if not text.size:
        return []
    usual = percentile(inked[text[0] : text[-1] + 1], 75)
    white = inked[text[0] : text[-1] + 1] <= _CROSSING * usual
    reach = round(_SIDE * body)
    candidates = []
    for start, stop in stretches(white):
        left, right = start + int(text[0]), stop + int(text[0])
        if right - left >= _NARROWEST * body and left >= reach and right + reach <= width:
            candidates.append((left, right))
    found: list[tuple[int, int]] = []
    if not candidates:
        return found
    gap = usual_gap(fragments, written, candidates)
    for left, right in candidates:
        beside = min(int(spanned[left - reach : left].max()), int(spanned[right : right + reach].max()))
        many = beside >= _MANY_LINES and right - left >= gap
        few = len(candidates) <= _MOST_STRIPES
        if many or (
            few and looks_like_a_gutter(fragments, written, (left, right), gap, leaf=width > LEAF * height)
        ):
            found.append((left, right))
    return found


def parted(
    fragments: Sequence[Fragment], stripes: Sequence[tuple[int, int]], ink: NDArray[np.uint8]
) -> list[Fragment]:
    """The fragments, cut where they cross a stripe without ink of their own in it."""
    pieces = list(fragments)
    for left, right in stripes:
        pieces = [part for piece in pieces for part in _cut(piece, left, right, ink)]
    return pieces


def _cut(fragment: Fragment, left: int, right: int, ink: NDArray[np.uint8]) -> list[Fragment]:
    start = fragment.first * STATION
    if right <= start or left >= (fragment.last + 1) * STATION:
        return [fragment]
    quarter = (right - left) // 4  # the ends of single letters may reach into a stripe's sides
    if inked_columns(fragment, ink)[max(0, left + quarter - start) : max(0, right - quarter - start)].any():
        return [fragment]
    before = max(0, -(-left // STATION) - fragment.first)
    after = max(0, right // STATION - fragment.first)
    return [part for part in (_slice(fragment, 0, before), _slice(fragment, after, None)) if part is not None]


def _slice(fragment: Fragment, start: int, stop: int | None) -> Fragment | None:
    part = slice(start, stop)
    if not fragment.top[part].size:
        return None
    return Fragment(fragment.first + start, fragment.top[part], fragment.bottom[part], fragment.mass[part])
