"""How suspicious a page is: a score from 0 to 100 out of what the records say of it and of its volume.

The score is a sum of the points below, at most 100; every part that gives points also gives a sentence. It ranks
pages for a person's eyes and says nothing about which page is wrong.

=====================  =======  ============================================================================
what                   points   when
=====================  =======  ============================================================================
error                  100      the page failed
no lines, with ink     70       no line was found, though at least ``INK`` of the page is dark strokes; 40 among
                                the volume's first and last two pages, where covers lie
no lines               35       no line was found, and nobody measured the ink
number of lines        0 to 60  more than ``COUNT_TOLERANCE`` spreads away from the volume's median
low coverage           0 to 40  the lines cover less than half of the share that is usual in the volume
rotation               0 to 50  more than 1°: ten points for every degree beyond
an unsure line         20 to 60 the least sure line's confidence is under 0.8: two points for every percent below
curvature              5        the lines had to be straightened
=====================  =======  ============================================================================

A page without lines and without ink is *blank* and gets no points. The median and spread are taken over the
volume's pages that have lines; the spread is 1.4826 times the median absolute deviation (Rousseeuw and Croux
1993), at least one line and at least a tenth of the median, so that a regular volume's small changes stay quiet.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from statistics import median

import attrs

INK = 0.006
"""A page with a smaller share of dark strokes counts as blank."""

CHECK = 30
"""From this score on a page should be looked at."""

SURE = 0.8
"""A line of less confidence is unsure."""

COUNT_TOLERANCE = 2.0
_MIN_PAGES = 4  # fewer pages with lines have no "usual"
_ATTENTION = 0.1  # share of the pages
_ERRORS = 0.05


class Level(StrEnum):
    """What a person should do with a page."""

    ERROR = "error"
    CHECK = "check"
    BLANK = "blank"
    FINE = "fine"


@attrs.frozen
class PageFacts:
    """What is known of a page.

    Attributes:
        failed: the page has an error instead of a result.
        lines: how many lines (or line segments) were found.
        rotation: degrees, 0 for none.
        curved: the lines were straightened.
        coverage: share of the page's area inside the outlines, 0 to 1; None where unknown.
        outer: the page is one of the volume's first or last two.
        ink: share of the page that is dark strokes, 0 to 1; None where nobody measured it.
        confidence: the least sure line's, 0 to 1; None where none was recorded.
    """

    failed: bool = False
    lines: int = 0
    rotation: float = 0.0
    curved: bool = False
    coverage: float | None = None
    outer: bool = False
    ink: float | None = None
    confidence: float | None = None


@attrs.frozen
class Typical:
    """What is usual in a volume: medians over its pages with lines; None where there are too few."""

    lines: float | None = None
    spread: float = 1.0
    coverage: float | None = None


@attrs.frozen
class Findings:
    """A page's score, 0 to 100, its level, and the reasons in words, weightiest first."""

    score: int
    level: Level
    reasons: tuple[str, ...] = ()


def typical(pages: Sequence[PageFacts]) -> Typical:
    """What is usual among ``pages``."""
    counts = [page.lines for page in pages if page.lines]
    if len(counts) < _MIN_PAGES:
        return Typical()
    middle = median(counts)
    deviation = 1.4826 * median(abs(count - middle) for count in counts)
    covered = [page.coverage for page in pages if page.lines and page.coverage is not None]
    return Typical(middle, max(deviation, 1.0, middle / 10), median(covered) if covered else None)


def judge(page: PageFacts, usual: Typical, *, unit: str = "line") -> Findings:
    """A page's findings, given what is usual in its volume; ``unit`` is what the reasons count."""
    if page.failed:
        return Findings(100, Level.ERROR, ("the page could not be processed",))
    if not page.lines:
        return _without_lines(page, unit)
    parts = [
        *_by_count(page, usual, unit),
        *_by_coverage(page, usual, unit),
        *_by_shape(page, unit),
    ]
    parts.sort(key=lambda part: -part[0])
    score = min(100, round(sum(points for points, _ in parts)))
    level = Level.CHECK if score >= CHECK else Level.FINE
    return Findings(score, level, tuple(sentence for _, sentence in parts))


def _without_lines(page: PageFacts, unit: str) -> Findings:
    """A page on which nothing was found."""
    if page.ink is None:
        return Findings(35, Level.CHECK, (f"no {unit}s were found",))
    if page.ink < INK:
        return Findings(0, Level.BLANK, ("the page is blank",))
    if page.outer:
        return Findings(40, Level.CHECK, (f"no {unit}s were found; the page is not blank: a cover?",))
    return Findings(70, Level.CHECK, (f"no {unit}s were found, but the page is not blank",))


def _by_count(page: PageFacts, usual: Typical, unit: str) -> list[tuple[float, str]]:
    """Points for a number of lines that is unusual in the volume."""
    if usual.lines is None:
        return []
    distance = abs(page.lines - usual.lines) / usual.spread
    if distance <= COUNT_TOLERANCE:
        return []
    points = min(60.0, 12 * (distance - COUNT_TOLERANCE) + 6)
    units = unit if page.lines == 1 else f"{unit}s"
    return [(points, f"{page.lines} {units}, where {usual.lines:g} are usual in this volume")]


def _by_coverage(page: PageFacts, usual: Typical, unit: str) -> list[tuple[float, str]]:
    """Points for lines that cover much less of the page than is usual."""
    if page.coverage is None or not usual.coverage:
        return []
    share = page.coverage / usual.coverage
    if share >= 0.5:
        return []
    return [
        (
            40 * (1 - 2 * share),
            f"the {unit}s cover {page.coverage:.0%} of the page, where {usual.coverage:.0%} is usual",
        )
    ]


def _by_shape(page: PageFacts, unit: str) -> list[tuple[float, str]]:
    """Points for what the page's own lines look like."""
    parts: list[tuple[float, str]] = []
    if abs(page.rotation) > 1:
        side = "counter-clockwise" if page.rotation > 0 else "clockwise"
        parts.append(
            (
                min(50.0, 10 * (abs(page.rotation) - 1)),
                f"the page was turned {abs(page.rotation):.1f}° {side}",
            )
        )
    if page.confidence is not None and page.confidence < SURE:
        points = min(60.0, 20 + 200 * (SURE - page.confidence))
        parts.append((points, f"one {unit} is unsure (confidence {page.confidence:.0%})"))
    if page.curved:
        parts.append((5.0, f"the {unit}s are curved and were straightened"))
    return parts


class Verdict(StrEnum):
    """A volume in one word."""

    GOOD = "good"
    LOOK = "look"
    BAD = "bad"


def verdict(levels: Sequence[Level]) -> Verdict:
    """The volume's verdict from its pages' levels.

    *bad*: more than 5 % of the pages failed, or more than 10 % (and more than two) failed or should be looked at,
    or there are no pages; *look*: any page failed, or more than 2 % should be looked at; else *good*.
    """
    errors, checks = levels.count(Level.ERROR), levels.count(Level.CHECK)
    total = len(levels)
    if not total or errors > _ERRORS * total or errors + checks > max(2, _ATTENTION * total):
        return Verdict.BAD
    return Verdict.LOOK if errors or checks > 0.02 * total else Verdict.GOOD
