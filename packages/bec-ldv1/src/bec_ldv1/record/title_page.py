"""The first page of a volume as a reader sees it: a title or an opening, which is unlike the pages after it.

The score compares every page with its volume. A title leaf has a line or two in the middle of a frame, a chapter's
first page begins lower: that is no error. So such a page is not compared in its number of lines, their height, cover
and layout (`bec_ldv1.record.suspicion.judge_volume`); whatever else speaks against it (an undecided network, an unsure
line, lost strokes, a page that was turned) counts as on any page. Few lines where writing was seen outside of them are
lines that were missed: that is no title page, and neither is a page of which nobody measured it.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bec_ldv1.record.usual import PageFacts

FIRST = 4
"""A title is looked for on so many pages: covers and blank leaves come before it."""

FEWER = 0.75
"""It has less than this share of the lines that the pages after it have."""

UNREAD = 0.1
"""So much of what looks like letters may lie outside its lines, as ornaments do."""

_AFTER = 4  # pages with lines that it is compared with, of which there must be two


def title_page(pages: Sequence[PageFacts]) -> int | None:
    """The index of the page that is a title or an opening by its place and its few lines; None if there is none.

    It is the volume's first page with lines, among the first four, and no writing was seen outside its lines.
    """
    written = [index for index, page in enumerate(pages) if page.lines]
    after = [pages[index].lines for index in written[1 : _AFTER + 1]]
    if len(after) < 2 or written[0] >= FIRST:
        return None
    first = pages[written[0]]
    return written[0] if first.lines < FEWER * median(after) and _is_read(first) else None


def _is_read(page: PageFacts) -> bool:
    """Whether all that looks like writing is in its lines, as far as detection saw."""
    return page.unread_rows == 0 and not page.unread_tails and (page.unread_share or 0.0) <= UNREAD
