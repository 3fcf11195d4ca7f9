"""What a record says of its page, as the suspicion score wants it; without looking at the picture."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import cv2
import numpy as np
import numpy.typing as npt

from bec_ldv1.page.flags import Flag
from bec_ldv1.record.layout import layout_of
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.usual import PageFacts

OUTER = 2
"""So many pages at each end of a volume may be covers."""

_CELLS = 1500  # along a page's longer side: what the coverage is counted in


def has_whole_lines(records: Sequence[PageRecord | None]) -> bool:
    """Whether a volume's records hold whole lines, not only the contract's pieces."""
    known = [record for record in records if record is not None and record.ok]
    return bool(known) and all(record.details is not None for record in known)


def page_facts(
    record: PageRecord | None,
    *,
    whole_lines: bool,
    outer: bool = False,
    size: tuple[int, int] | None = None,
    ink: float | None = None,
) -> PageFacts:
    """The facts of a page; None is a page without a record, which counts as failed.

    Args:
        record: the page's record.
        whole_lines: count the record's whole lines; else the contract's contours.
        outer: the page is among the volume's first or last ``OUTER``.
        size: width and height of the stored image; needed for the coverage where the record has no details.
        ink: the share of ink, from the picture; a record's own comes before it.
    """
    if record is None or not record.ok:
        return PageFacts(failed=True, outer=outer, ink=ink)
    details = record.details
    outlines: Sequence[npt.NDArray[np.generic]] = record.contours or ()
    confidence = None
    if whole_lines and details is not None:
        outlines = [line.polygon for line in details.lines]
        if details.lines:
            confidence = min(line.confidence for line in details.lines)
    facts = PageFacts()
    if details is not None:
        size, ink = (details.width, details.height), details.ink_share
        facts = PageFacts(
            layout=layout_of(details.lines, max(size)) if whole_lines else None,
            unread_share=details.unread_share if whole_lines else None,
            unread_rows=details.unread_rows if whole_lines else None,
            doubt=details.doubt,
            unread_tails=details.unread_tails if whole_lines else None,
            quarter_turns=details.quarter_turns,
            flags=details.flags - {Flag.SUSPICIOUS},
        )
    return attrs.evolve(
        facts,
        lines=len(outlines),
        rotation=record.rotation_angle or 0.0,
        curved=record.tps_points is not None,
        coverage=None if size is None else coverage(outlines, *size),
        outer=outer,
        ink=ink,
        confidence=confidence,
    )


def coverage(outlines: Sequence[npt.NDArray[np.generic]], width: int, height: int) -> float:
    """The share of a page that lies inside its outlines, 0 to 1; overlaps count once."""
    cell = max(1, max(width, height) // _CELLS)
    mask = np.zeros((max(1, height // cell), max(1, width // cell)), np.uint8)
    for outline in outlines:
        if len(outline):
            cells = np.floor(np.asarray(outline, np.float64) / cell).astype(np.int32)
            cv2.fillPoly(mask, [cells.reshape(-1, 1, 2)], 1)
    return cv2.countNonZero(mask) / mask.size  # as the mean, which would make floats of all cells first
