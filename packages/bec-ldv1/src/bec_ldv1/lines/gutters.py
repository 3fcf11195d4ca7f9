"""Gutters that only the ink tells of: white stripes down through all lines, narrower than a network's sight.

A network bridges gaps inside lines, and so also the gap between two columns where that is as narrow as a line is high.
Gaps of single lines lie anywhere; one that goes through many lines at the same place parts columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.fragments import ROW, STATION, Fragment, stretches

_FEWEST_LINES = 8
_NARROWEST = 1.2  # bodies
_CROSSING = 0.1  # share of the lines whose ink may cross (headings)
_SIDE = 6.0  # bodies of text that lines must have on either side


def white_gutters(fragments: Sequence[Fragment], ink: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """The stripes, first and last+1 pixel column each, that part most lines of a page.

    ``ink`` is the binarised plane (0 is ink). A stripe is at least 1.2 bodies wide, at least eight bands run
    through it or end beside it on both sides, and a tenth of them at most has ink in it.
    """
    if len(fragments) < _FEWEST_LINES:
        return []
    width = ink.shape[1]
    body = float(np.median([f.body for f in fragments])) * ROW
    inked = np.zeros(width, np.int64)
    spanned = np.zeros(width, np.int64)
    for fragment in fragments:
        left, right = fragment.first * STATION, min(width, (fragment.last + 1) * STATION)
        inked[left:right] += _inked(fragment, ink)[: right - left]
        spanned[left:right] += 1
    text = np.flatnonzero(inked)
    if not text.size:
        return []
    usual = float(np.percentile(inked[text[0] : text[-1] + 1], 75))
    white = inked[text[0] : text[-1] + 1] <= _CROSSING * usual
    found = []
    reach = round(_SIDE * body)
    for start, stop in stretches(white):
        left, right = start + int(text[0]), stop + int(text[0])
        if right - left < _NARROWEST * body or left < reach or right + reach > width:
            continue
        beside = min(int(spanned[left - reach : left].max()), int(spanned[right : right + reach].max()))
        if beside >= _FEWEST_LINES:
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
    if _inked(fragment, ink)[max(0, left + quarter - start) : max(0, right - quarter - start)].any():
        return [fragment]
    before = max(0, -(-left // STATION) - fragment.first)
    after = max(0, right // STATION - fragment.first)
    return [part for part in (_slice(fragment, 0, before), _slice(fragment, after, None)) if part is not None]


def _slice(fragment: Fragment, start: int, stop: int | None) -> Fragment | None:
    part = slice(start, stop)
    if not fragment.top[part].size:
        return None
    return Fragment(fragment.first + start, fragment.top[part], fragment.bottom[part], fragment.mass[part])


def _inked(fragment: Fragment, ink: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether a pixel column of the fragment has ink in its band: ``STATION`` values per station."""
    result = np.zeros(fragment.top.size * STATION, np.bool_)
    top = fragment.top.astype(np.int64) * ROW
    bottom = np.ceil(fragment.bottom).astype(np.int64) * ROW
    highest, start = int(top.min()), fragment.first * STATION
    around = ink[highest : int(bottom.max()), start : start + result.size] == 0
    row = np.arange(highest, highest + around.shape[0])[:, None]
    inside = (row >= top) & (row < bottom)
    columns = (around & np.repeat(inside, STATION, axis=1)[:, : around.shape[1]]).any(axis=0)
    result[: columns.size] = columns
    return result
