"""Whether a white stripe through few lines is a gutter between columns: by the edges of the text on its two sides.

Gaps that pass through a few lines are mostly no gutters: verse set in halves, tables of contents, words that stand
apart, the space around a string hole. A gutter is wider than the page's other gaps, and the text on both its sides
ends and starts at one place. On a leaf a string hole's space looks so, too: there it must be narrow and go through
many lines, or the lines on its two sides must stand at other heights.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.lines.fragments import ROW, STATION, Fragment
from bec_ldv1.lines.ranks import median, percentile

_SPECK = 0.16  # bodies of ink in a column that are none yet
_ON_A_PAGE = 4  # least lines on either side
_ON_A_LEAF = 6  # … on a leaf whose lines go on at the same height
_ODD_SHARE = 1.5  # least width over the page's other wide gaps
_OTHER_GAP = 0.4  # bodies from which on white between two letters is a gap
_EVEN = 0.5  # bodies by which lines' starts may differ, and a station where a band begins late
_EVEN_ENDS = 2.0  # … their ends: a last stop or none
_MOST = 0.7  # share of the lines that must start or end evenly
_LONG = 8.0  # bodies: the usual length of what stands on either side
_END = 5  # stations that tell at which height a line ends
_NARROW = 1.7  # pitches: a string hole's space is wider
_STAGGERED = 0.15  # pitches from which on lines of two columns are at other heights
_ALONE = 2  # lines that end at the stripe and have none beyond: a column more than full


Doubles = NDArray[np.float64]


def usual_body(fragments: Sequence[Fragment]) -> float:
    """The body of most fragments, in pixels."""
    return median([f.body for f in fragments]) * ROW


def inked_columns(fragment: Fragment, ink: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether a pixel column of the fragment has ink in its band: ``STATION`` values per station."""
    top, bottom = fragment.top.astype(np.int64) * ROW, np.ceil(fragment.bottom).astype(np.int64) * ROW
    first, last = int(top.min()), int(bottom.max())
    part = ink[first:last, fragment.first * STATION : (fragment.last + 1) * STATION] == 0
    rows = np.arange(first, first + part.shape[0])[:, None]
    within = np.repeat((rows >= top) & (rows < bottom), STATION, axis=1)
    columns = np.zeros(fragment.top.size * STATION, np.bool_)
    least = max(1, round(_SPECK * fragment.body * ROW))
    columns[: part.shape[1]] = (part & within[:, : part.shape[1]]).sum(axis=0) >= least
    return columns


@attrs.frozen(eq=False)
class _Pieces:
    """The written parts of bands on one side of a stripe: where each begins and ends, in pixels (x, y)."""

    begin: Doubles
    end: Doubles

    def follow(self, body: float) -> NDArray[np.bool_]:
        """For all pairs whether the second goes on where the first ends."""
        level = np.abs(self.begin[None, :, 1] - self.end[:, None, 1]) < body / 2
        return np.asarray(level & (self.begin[None, :, 0] >= self.end[:, None, 0] - body / 2), dtype=np.bool_)


def looks_like_a_gutter(
    fragments: Sequence[Fragment],
    written: Sequence[NDArray[np.bool_]],
    stripe: tuple[int, int],
    gap: float,
    *,
    leaf: bool,
) -> bool:
    """Whether a white ``stripe`` (first and last+1 pixel column) parts columns of few lines.

    ``written`` tells the inked columns of each fragment, ``gap`` how wide the page's other gaps are.
    """
    body = usual_body(fragments)
    before = _pieces(fragments, written, -np.inf, sum(stripe) / 2)
    after = _pieces(fragments, written, sum(stripe) / 2, np.inf)
    if min(len(before.begin), len(after.begin)) < _ON_A_PAGE:
        return False
    following, preceding = before.follow(body), after.follow(body)
    last, first = ~following.any(axis=1), ~preceding.any(axis=0)
    ends, starts = before.end[last], after.begin[first]
    # With what stands right before or behind, in case that a band is broken near the stripe.
    begun = np.minimum(before.begin[:, 0], np.where(following, before.begin[:, None, 0], np.inf).min(axis=0))
    ended = np.maximum(after.end[:, 0], np.where(preceding, after.end[None, :, 0], -np.inf).max(axis=1))
    lengths = ends[:, 0] - begun[last], ended[first] - starts[:, 0]
    close = stripe[0] - ends[:, 0] <= _EVEN_ENDS * body, starts[:, 0] - stripe[1] <= _EVEN * body + STATION
    lines = min(int(side.sum()) for side in close)
    if (
        lines < _ON_A_PAGE
        or min(side.mean() for side in close) < _MOST
        or min(median(side) for side in lengths) < _LONG * body
        or stripe[1] - stripe[0] < _ODD_SHARE * gap
    ):
        return False
    if not leaf:
        return True
    pitch, shift = _heights(ends[close[0]], starts[close[1]])
    if abs(shift) >= _STAGGERED * pitch or close[0].sum() - close[1].sum() >= _ALONE:
        return True
    return lines >= _ON_A_LEAF and stripe[1] - stripe[0] <= _NARROW * pitch


def _pieces(
    fragments: Sequence[Fragment], written: Sequence[NDArray[np.bool_]], start: float, stop: float
) -> _Pieces:
    begin, end = [], []
    for fragment, columns in zip(fragments, written, strict=True):
        x = np.flatnonzero(columns) + fragment.first * STATION
        x = x[(x >= start) & (x < stop)]
        heights = (fragment.top + fragment.bottom) / 2 * ROW
        if x.size:
            first, last = int(x[0]) // STATION - fragment.first, int(x[-1]) // STATION - fragment.first
            begin.append((x[0], heights[first : first + _END].mean()))
            end.append((x[-1] + 1, heights[max(0, last + 1 - _END) : last + 1].mean()))
    return _Pieces(np.array(begin, np.float64).reshape(-1, 2), np.array(end, np.float64).reshape(-1, 2))


def usual_gap(
    fragments: Sequence[Fragment], written: Sequence[NDArray[np.bool_]], stripes: Sequence[tuple[int, int]]
) -> float:
    """The width of the page's wide gaps, those in the white ``stripes`` not counted: inside bands and between them."""
    body = usual_body(fragments)
    whole = _pieces(fragments, written, -np.inf, np.inf)
    inside = []
    for fragment, columns in zip(fragments, written, strict=True):
        x = np.flatnonzero(columns) + fragment.first * STATION
        steps = np.flatnonzero(np.diff(x) > _OTHER_GAP * body)
        inside.append(np.stack([x[steps] + 1, x[steps + 1]], axis=1))
    away = np.where(whole.follow(body), whole.begin[None, :, 0], np.inf).min(axis=1)
    between = np.stack([whole.end[:, 0], away], axis=1)[np.isfinite(away)]
    gaps = np.concatenate([*inside, between])
    for left, right in stripes:
        gaps = gaps[(gaps[:, 1] <= left + body) | (gaps[:, 0] >= right - body)]
    widths = gaps[:, 1] - gaps[:, 0]
    widths = widths[widths > _OTHER_GAP * body]
    return percentile(widths, 90) if widths.size else 0.0


def _heights(ends: Doubles, starts: Doubles) -> tuple[float, float]:
    """The distance of the lines on a stripe's left, and by how much those on its right lie lower (at most half)."""
    left, right = np.sort(ends[:, 1]), np.sort(starts[:, 1])
    pitch = median(np.diff(left))
    away = right[:, None] - left[None, :]
    nearest = away[np.arange(right.size), np.abs(away).argmin(axis=1)]
    return pitch, median(nearest)
