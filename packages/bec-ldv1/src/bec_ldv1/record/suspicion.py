"""How suspicious a page is: a score from 0 to 100 out of what the records say of it and of its volume.

A page with lines: what speaks for an error (`bec_ldv1.record.evidence`) is added up with the `WEIGHTS` below. They
were fitted by logistic regression on rendered volumes of which it is known which pages are wrong (`bench/suspicion.py
--fit`); that of "tail" later than the others. With p the share of wrong pages among those with as much evidence, and q
that among those with none, the score is 100 (p - q) / (1 - q). It ranks pages for a person's eyes and says nothing
certain about any.

What else holds, whatever the sum is; the highest counts:

============================  =======  =====================================================================
what                          score    when
============================  =======  =====================================================================
error                         100      the page failed
no lines, writing             90       no line was found, but rows of what looks like letters
strokes lost                  70       `Flag.FAINT`: the scan is too dark or too pale
a part is missing             70       `Flag.INCOMPLETE`, `Flag.TRANSPARENT`
no lines, with ink            70       no line was found, though at least `INK` of the page is dark strokes; 40
                                       among the volume's first and last two pages, where covers lie
writing that nobody read      60       `Flag.UNKNOWN_WRITING`
laid otherwise                60       it had to be turned by quarter turns, and most of its volume had not
unlike its neighbours         40       the number of lines is more than `APART` spreads away from that around it,
                                       or the lines' height or cover is less than half, or more than twice, the usual
more pages                    30       `Flag.MORE_PAGES`
no lines                      35       no line was found, and nobody measured the ink
============================  =======  =====================================================================

A page without lines and without ink is *blank* and gets no points. A title page (`bec_ldv1.record.title_page`) is
not compared with the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import attrs

from bec_core import VERDICTS, verdict_of
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.evidence import Evidence, evidence
from bec_ldv1.record.title_page import title_page
from bec_ldv1.record.usual import PageFacts, Typical, lines_around, typical

INK = 0.006
"""A page without lines on which a smaller share is ink counts as blank; specks don't count where they are known."""

CHECK = 30
"""From this score on a page should be looked at."""

APART = 2.0
"""A page is unlike its neighbours when its number of lines is more than so many spreads away from theirs."""

NOTHING = -4.54
"""The log odds of an error on a page that nothing speaks against."""

WEIGHTS: Mapping[str, float] = {
    "unread": 0.88,
    "rows": 1.25,
    "tail": 2.85,
    "doubt": 1.53,
    "confidence": 1.92,
    "count": 1.03,
    "coverage": 0.91,
    "rotation": 1.42,
    "height": 0.82,
    "gap": 1.82,
    "closest": 1.66,
    "uneven": 1.43,
    "short": 2.32,
    "beside": 1.65,
}
"""What each piece of evidence adds to the log odds at full strength."""

TITLE_PAGE = "taken for a title page, so it is not compared with the others"
"""What is said of a page that is one."""

_SAID = 0.3  # evidence that adds less is not worth a sentence


class Level(StrEnum):
    """What a person should do with a page."""

    ERROR = "error"
    CHECK = "check"
    BLANK = "blank"
    FINE = "fine"


@attrs.frozen
class Findings:
    """A page's score, 0 to 100 with one decimal, its level, and the reasons in words, weightiest first."""

    score: float
    level: Level
    reasons: tuple[str, ...] = ()


def judge_volume(pages: Sequence[PageFacts], *, unit: str = "line") -> list[Findings]:
    """The findings of a volume's pages, all of them, in their order; ``unit`` is what the reasons count."""
    usual, title = typical(pages), title_page(pages)
    found = [
        judge(page, usual if around is None else attrs.evolve(usual, lines=around), unit=unit)
        for page, around in zip(pages, lines_around(pages), strict=True)
    ]
    if title is not None:
        found[title] = _judge_title(pages[title], usual, unit)
    return found


def _judge_title(page: PageFacts, usual: Typical, unit: str) -> Findings:
    """A title page's findings: of its lines' number, height, cover and layout none is held against the volume's."""
    alone = attrs.evolve(usual, lines=None, coverage=None, height=None)
    found = judge(attrs.evolve(page, layout=None), alone, unit=unit)
    return attrs.evolve(found, reasons=(*found.reasons, TITLE_PAGE))


def judge(page: PageFacts, usual: Typical, *, unit: str = "line") -> Findings:
    """A page's findings, given what is usual in its volume (and how many lines are around it)."""
    if page.failed:
        return Findings(100, Level.ERROR, ("the page could not be processed",))
    if not page.lines and _is_blank(page):
        return Findings(0, Level.BLANK, ("the page is blank",))
    reasons = [(score, sentence) for score, sentence in _rules(page, usual, unit)]
    score = max((score for score, _ in reasons), default=0.0)
    if page.lines:
        pieces = evidence(page, usual, unit)
        score = max(score, score_of(pieces))
        reasons += [
            (WEIGHTS[piece.name] * piece.strength, piece.sentence)
            for piece in pieces
            if WEIGHTS[piece.name] * piece.strength >= _SAID
        ]
    reasons.sort(key=lambda reason: -reason[0])
    level = Level.CHECK if score >= CHECK else Level.FINE
    return Findings(round(score, 1), level, tuple(dict.fromkeys(sentence for _, sentence in reasons)))


def score_of(pieces: Sequence[Evidence]) -> float:
    """The score that evidence alone gives, 0 to 100."""
    none = _probability(NOTHING)
    wrong = _probability(NOTHING + sum(WEIGHTS[piece.name] * piece.strength for piece in pieces))
    return 100 * (wrong - none) / (1 - none)


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def _is_blank(page: PageFacts) -> bool:
    """Whether there is nothing on the page that a person should see."""
    return (
        (Flag.BLANK in page.flags or (page.ink is not None and page.ink < INK))
        and not page.unread_rows
        and not page.flags & _BROKEN.keys()
    )


_BROKEN: Mapping[Flag, tuple[float, str]] = {
    Flag.FAINT: (70.0, "strokes are lost: the scan is too dark or too pale, or the ink faint"),
    Flag.INCOMPLETE: (70.0, "a part of the picture is missing in the file"),
    Flag.TRANSPARENT: (70.0, "every pixel is transparent; it was read as if none were"),
    Flag.UNKNOWN_WRITING: (
        60.0,
        "this does not look like what the model knows: there is writing that it did not read",
    ),
    Flag.MORE_PAGES: (float(CHECK), "the file holds more pages, of which only the first was read"),
}
"""What a flag alone scores, and says."""


def _rules(page: PageFacts, usual: Typical, unit: str) -> Iterator[tuple[float, str]]:
    """The scores that hold whatever the evidence is, each with its sentence."""
    for flag in sorted(page.flags & _BROKEN.keys()):
        yield _BROKEN[flag]
    if page.quarter_turns != usual.quarter_turns:
        way = {0: "not turned, as most are", 2: "upside down"}.get(page.quarter_turns, "on its side")
        yield 60.0, f"the page was laid down {way}, unlike most"
    if not page.lines:
        yield _without_lines(page, unit)
    else:
        yield from _unlike(page, usual, unit)


def _without_lines(page: PageFacts, unit: str) -> tuple[float, str]:
    """A page with ink on which nothing was found."""
    if page.unread_rows:
        return 90.0, f"no {unit}s were found, but rows of what looks like writing"
    if page.ink is None:
        return 35.0, f"no {unit}s were found"
    if page.outer:
        return 40.0, f"no {unit}s were found; the page is not blank: a cover?"
    return 70.0, f"no {unit}s were found, but the page is not blank"


def _unlike(page: PageFacts, usual: Typical, unit: str) -> Iterator[tuple[float, str]]:
    """A page whose lines differ from its neighbours'."""
    sentences = {piece.name: piece.sentence for piece in evidence(page, usual, unit)}
    if usual.lines is not None and abs(page.lines - usual.lines) > APART * usual.spread:
        yield 40.0, sentences["count"]
    if usual.coverage and page.coverage is not None and not 0.5 <= page.coverage / usual.coverage <= 2:
        yield 40.0, sentences["coverage"]
    if usual.height and page.layout is not None and not 0.5 <= page.layout.height / usual.height <= 2:
        yield 40.0, sentences["height"]


class Verdict(StrEnum):
    """A volume in one word."""

    GOOD = "good"
    LOOK = "look"
    BAD = "bad"


def verdict(levels: Sequence[Level], *, lines: int) -> Verdict:
    """The volume's verdict from its pages' levels and the number of all its lines; by :func:`bec_core.verdict_of`."""
    word = verdict_of(
        pages=len(levels),
        failed=levels.count(Level.ERROR),
        suspicious=levels.count(Level.CHECK),
        empty=not lines,
    )
    return Verdict(VERDICTS[word])
