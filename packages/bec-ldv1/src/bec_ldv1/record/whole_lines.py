"""From what a page's last pass saw to its whole lines on the image as it is stored."""

from __future__ import annotations

import numpy as np

from bec_ldv1.lines import LineSettings, Points, assemble_page, map_lines
from bec_ldv1.page.detect import Detection
from bec_ldv1.page.flags import Flag
from bec_ldv1.page.orientation import turned
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.suspicion import INK
from bec_ldv1.record.unread import look_beside

ROTATED_DEGREES = 1.0
"""A page that had to be turned by at least so much is flagged."""


def page_details(detection: Detection) -> PageDetails:
    """The details of a page from what its last pass saw."""
    geometry = detection.geometry
    page = geometry.page
    assembled = assemble_page(
        detection.probabilities, detection.ink, LineSettings(threshold=detection.postprocess.threshold)
    )
    found = assembled.lines
    ink_share = float(np.count_nonzero(detection.ink == 0)) / max(1, detection.ink.size)
    beside = look_beside(detection.probabilities, detection.ink, detection.pieces, found)
    flags = set(page.flags)
    if not found and beside.marked < INK and not beside.unread_rows:
        flags.add(Flag.BLANK)
    if beside.is_writing:
        flags.add(Flag.UNKNOWN_WRITING)
    if abs(geometry.recorded.angle) >= ROTATED_DEGREES:
        flags.add(Flag.ROTATED)
    if geometry.recorded.spline is not None:
        flags.add(Flag.CURVED)
    if detection.quarter_turns:
        flags.add(Flag.TURNED)
    if detection.faint:
        flags.add(Flag.FAINT)
        flags.discard(Flag.BLANK)
    width, height = page.stored_size

    def to_source(points: Points) -> Points:
        return geometry.to_source(points).astype(np.float32)

    return PageDetails(
        width=width,
        height=height,
        ink_share=ink_share,
        lines=tuple(map_lines(found, to_source)),
        flags=frozenset(flags),
        quarter_turns=detection.quarter_turns,
        orientation=turned(page.orientation, -detection.quarter_turns),
        unread_share=beside.unread_share,
        unread_rows=beside.unread_rows,
        doubt=beside.doubt,
        unread_tails=assembled.unread_tails,
    )
