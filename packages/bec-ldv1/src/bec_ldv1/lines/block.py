"""The text block, and what stands beside it: folio numbers and side titles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bec_ldv1.lines.drafts import Draft
from bec_ldv1.lines.fragments import STATION, stretches
from bec_ldv1.lines.ranks import median
from bec_ldv1.lines.values import LineSettings

_FEWEST = 3  # lines that make a block


def without_labels(drafts: Sequence[Draft], barriers: Sequence[float], settings: LineSettings) -> list[Draft]:
    """The drafts without labels beside the block, also where one was linked to a line.

    The block reaches from the median left end to the median right end of the long lines, those of the first and the
    last column between the ``barriers`` (x in pixels). A label is a piece
    that lies wholly outside of it and is shorter than ``margin_length`` of its width. Pages with fewer than three
    lines have no block: their drafts are returned as they are.
    """
    if len(drafts) < _FEWEST:
        return list(drafts)
    longest = max(d.length for d in drafts)
    long = [d for d in drafts if d.length >= longest / 2]
    if len(long) < _FEWEST:
        return list(drafts)
    columns = np.searchsorted(barriers, [(d.first + d.last + 1) / 2 * STATION for d in long])
    left = median([d.first for d, c in zip(long, columns, strict=True) if c == columns.min()])
    right = median([d.last + 1 for d, c in zip(long, columns, strict=True) if c == columns.max()])
    limit = settings.margin_length * (right - left)
    kept = (_cut_off(d, left, right, limit) for d in drafts)
    return [d for d in kept if d is not None]


def _cut_off(draft: Draft, left: float, right: float, limit: float) -> Draft | None:
    """The draft without its label pieces; None when nothing else was there. All in stations."""
    slack = draft.body / STATION / 2
    pieces = stretches(draft.found)
    while pieces:
        start, stop = pieces[0]
        if draft.first + stop > left + slack or stop - start > limit:
            break
        pieces.pop(0)
    while pieces:
        start, stop = pieces[-1]
        if draft.first + start < right - slack or stop - start > limit:
            break
        pieces.pop()
    return draft.cut(pieces[0][0], pieces[-1][1]) if pieces else None
