"""What is known of a page, and what is usual in its volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median, mode

import attrs

from bec_ldv1.page.flags import Flag
from bec_ldv1.record.layout import Layout

_MIN_PAGES = 4  # fewer pages with lines have no "usual"
_AROUND = 4  # pages on either side that a page's number of lines is compared with


@attrs.frozen
class PageFacts:
    """What is known of a page; None is what nobody measured.

    Attributes:
        failed: the page has an error instead of a result.
        lines: how many lines (or line segments) were found.
        rotation: degrees, 0 for none.
        curved: the lines were straightened.
        coverage: share of the page's area inside the outlines, 0 to 1.
        outer: the page is one of the volume's first or last two.
        ink: share of the page that is dark strokes, 0 to 1.
        confidence: the least sure line's, 0 to 1.
        layout: how regularly the lines lie.
        unread_share, unread_rows, doubt: see `bec_ldv1.record.unread.Beside`.
        unread_tails: how many last syllables were not read, see `bec_ldv1.lines.tail`.
        quarter_turns: how many bring the page upright.
        flags: what detection found remarkable.
    """

    failed: bool = False
    lines: int = 0
    rotation: float = 0.0
    curved: bool = False
    coverage: float | None = None
    outer: bool = False
    ink: float | None = None
    confidence: float | None = None
    layout: Layout | None = None
    unread_share: float | None = None
    unread_rows: int | None = None
    doubt: float | None = None
    unread_tails: int | None = None
    quarter_turns: int = 0
    flags: frozenset[Flag] = frozenset()


@attrs.frozen
class Typical:
    """What is usual in a volume: medians over its pages with lines; None where too few are known.
    ``quarter_turns`` is what most of them have; 0 where there are too few.

    ``spread`` is that of the number of lines: 1.4826 times the median absolute deviation (Rousseeuw and Croux
    1993), at least one line and at least a tenth of the median, so that a regular volume's small changes stay quiet.
    """

    lines: float | None = None
    spread: float = 1.0
    coverage: float | None = None
    confidence: float | None = None
    unread_share: float | None = None
    unread_rows: float | None = None
    doubt: float | None = None
    unread_tails: float | None = None
    height: float | None = None
    gap: float | None = None
    closest: float | None = None
    uneven: float | None = None
    shortest: float | None = None
    beside: float | None = None
    quarter_turns: int = 0


def typical(pages: Sequence[PageFacts]) -> Typical:
    """What is usual among ``pages``."""
    known = [page for page in pages if page.lines]
    if len(known) < _MIN_PAGES:
        return Typical()
    middle = median(page.lines for page in known)
    apart = [
        abs(page.lines - (middle if around is None else around))
        for page, around in zip(pages, lines_around(pages), strict=True)
        if page.lines
    ]

    def usual(value: Callable[[PageFacts], float | None]) -> float | None:
        values = [found for page in known if (found := value(page)) is not None]
        return median(values) if len(values) >= _MIN_PAGES else None

    def in_layout(value: Callable[[Layout], float]) -> float | None:
        return usual(lambda page: None if page.layout is None else value(page.layout))

    return Typical(
        lines=middle,
        spread=max(1.4826 * median(apart), 1.0, middle / 10),
        coverage=usual(lambda page: page.coverage),
        confidence=usual(lambda page: page.confidence),
        unread_share=usual(lambda page: page.unread_share),
        unread_rows=usual(lambda page: page.unread_rows),
        doubt=usual(lambda page: page.doubt),
        unread_tails=usual(lambda page: page.unread_tails),
        height=in_layout(lambda layout: layout.height),
        gap=in_layout(lambda layout: layout.gap),
        closest=in_layout(lambda layout: layout.closest),
        uneven=in_layout(lambda layout: layout.uneven),
        shortest=in_layout(lambda layout: layout.shortest),
        beside=in_layout(lambda layout: layout.beside),
        quarter_turns=mode(page.quarter_turns for page in known),
    )


def lines_around(pages: Sequence[PageFacts]) -> list[float | None]:
    """For each page the median number of lines of up to four pages with lines on either side; None where they are
    fewer than four: books change their layout from one part to the next."""
    found: list[float | None] = []
    counts = [(index, page.lines) for index, page in enumerate(pages) if page.lines]
    place = 0
    for index in range(len(pages)):
        while place < len(counts) and counts[place][0] < index:
            place += 1
        after = place + (place < len(counts) and counts[place][0] == index)
        near = [
            count for _, count in counts[max(0, place - _AROUND) : place] + counts[after : after + _AROUND]
        ]
        found.append(median(near) if len(near) >= _MIN_PAGES else None)
    return found
