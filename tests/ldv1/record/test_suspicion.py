"""How suspicious a page is, from made-up facts: each kind of evidence, each rule, and the volume's verdict."""

import attrs
import pytest

from bec_ldv1.page.flags import Flag
from bec_ldv1.record.evidence import evidence, ramp
from bec_ldv1.record.layout import Layout
from bec_ldv1.record.suspicion import (
    CHECK,
    WEIGHTS,
    Level,
    Verdict,
    judge,
    judge_volume,
    score_of,
    verdict,
)
from bec_ldv1.record.usual import PageFacts, Typical, lines_around, typical

REGULAR = Layout(height=0.02, pitch=1.0, gap=1.05, closest=0.95, uneven=0.05, shortest=0.97, beside=0)
FINE = PageFacts(
    lines=7,
    coverage=0.5,
    ink=0.1,
    rotation=0.4,
    confidence=0.93,
    layout=REGULAR,
    unread_share=0.02,
    unread_rows=0,
    doubt=0.08,
    unread_tails=0,
)
USUAL = typical([FINE] * 10)


def layout(**changes: float) -> PageFacts:
    return attrs.evolve(FINE, layout=attrs.evolve(REGULAR, **changes))


KINDS = {
    "unread": attrs.evolve(FINE, unread_share=0.4),
    "rows": attrs.evolve(FINE, unread_rows=2),
    "tail": attrs.evolve(FINE, unread_tails=1),
    "doubt": attrs.evolve(FINE, doubt=0.3),
    "confidence": attrs.evolve(FINE, confidence=0.78),
    "count": attrs.evolve(FINE, lines=6),
    "coverage": attrs.evolve(FINE, coverage=0.3),
    "rotation": attrs.evolve(FINE, rotation=-4.0),
    "height": layout(height=0.03),
    "gap": layout(gap=2.0),
    "closest": layout(closest=0.5),
    "uneven": layout(uneven=0.6),
    "short": layout(shortest=0.4),
    "beside": layout(beside=2),
}


def test_a_usual_page_is_fine() -> None:
    assert judge(FINE, USUAL) == judge(FINE, USUAL, unit="segment")
    findings = judge(FINE, USUAL)
    assert (findings.score, findings.level, findings.reasons) == (0, Level.FINE, ())
    assert evidence(FINE, USUAL) == []


def test_every_weight_has_a_kind() -> None:
    assert set(KINDS) == set(WEIGHTS)
    assert all(weight >= 0 for weight in WEIGHTS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_evidence_gives_points_alone(kind: str) -> None:
    (piece,) = evidence(KINDS[kind], USUAL)
    assert piece.name == kind
    assert 0 < piece.strength <= 1
    assert piece.sentence
    assert score_of([piece]) > 0
    assert judge(KINDS[kind], USUAL).score > judge(FINE, USUAL).score


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (attrs.evolve(FINE, unread_share=0.5), "50% of what looks like letters is in no line"),
        (KINDS["tail"], "something like a last syllable stands below the last line"),
        (attrs.evolve(FINE, unread_rows=1), "1 row of what looks like writing is in no line"),
        (attrs.evolve(FINE, lines=3), "3 lines, where 7 are usual around it"),
        (attrs.evolve(FINE, lines=1), "1 line, where 7 are usual around it"),
        (attrs.evolve(FINE, rotation=-4.0), "turned 4.0° clockwise"),
        (attrs.evolve(FINE, coverage=0.1), "the lines cover 10% of the page, where 50% is usual"),
    ],
)
def test_sentences(facts: PageFacts, words: str) -> None:
    assert any(words in reason for reason in judge(facts, USUAL).reasons)


def test_more_evidence_never_gives_less() -> None:
    scores = [judge(attrs.evolve(FINE, doubt=0.08 + step / 50), USUAL).score for step in range(10)]
    assert scores == sorted(scores)
    worst = attrs.evolve(
        KINDS["unread"], unread_rows=9, doubt=0.9, confidence=0.75, layout=Layout(0.1, gap=3, closest=0.1)
    )
    findings = judge(worst, USUAL)
    assert max(scores) < findings.score <= 100
    assert findings.level is Level.CHECK
    assert len(findings.reasons) == len(set(findings.reasons))


def test_a_volumes_own_margins_are_no_evidence() -> None:
    """Side titles and running heads are unread on every page of some books."""
    margins = attrs.evolve(FINE, unread_share=0.2, unread_rows=2, doubt=0.2)
    assert judge(margins, typical([margins] * 8)).score == 0
    assert judge(margins, USUAL).score > 5


@pytest.mark.parametrize(
    ("facts", "least"),
    [
        (PageFacts(ink=0.05), 70),
        (PageFacts(ink=0.05, unread_rows=4), 90),
        (PageFacts(ink=0.004, unread_rows=1), 90),
        (PageFacts(ink=0.05, unread_rows=4, outer=True), 90),
        (PageFacts(ink=0.05, outer=True), 40),
        (PageFacts(), 35),
        (PageFacts(ink=0.0, flags=frozenset({Flag.FAINT})), 70),
        (attrs.evolve(FINE, flags=frozenset({Flag.FAINT})), 70),
        (attrs.evolve(FINE, flags=frozenset({Flag.INCOMPLETE})), 70),
        (attrs.evolve(FINE, flags=frozenset({Flag.TRANSPARENT})), 70),
        (attrs.evolve(FINE, flags=frozenset({Flag.UNKNOWN_WRITING})), 60),
        (attrs.evolve(FINE, flags=frozenset({Flag.MORE_PAGES})), CHECK),
        (attrs.evolve(FINE, quarter_turns=2), 60),
        (attrs.evolve(FINE, quarter_turns=1), 60),
        (attrs.evolve(FINE, lines=4), 40),
        (attrs.evolve(FINE, coverage=0.2), 40),
        (layout(height=0.05), 40),
    ],
)
def test_pages_that_are_always_to_be_looked_at(facts: PageFacts, least: int) -> None:
    findings = judge(facts, USUAL)
    assert findings.score >= least
    assert findings.level is Level.CHECK
    assert findings.reasons


def test_writing_that_the_model_does_not_know_is_said() -> None:
    page = PageFacts(ink=0.05, unread_rows=12, flags=frozenset({Flag.UNKNOWN_WRITING}))
    assert any("does not look like what the model knows" in reason for reason in judge(page, USUAL).reasons)


def test_a_volume_that_lies_on_its_side_does_not_nag() -> None:
    turned = attrs.evolve(FINE, quarter_turns=1)
    levels = [one.level for one in judge_volume([turned] * 9 + [FINE])]
    assert levels == [Level.FINE] * 9 + [Level.CHECK]


def test_a_turned_page_among_few_is_to_be_looked_at() -> None:
    levels = [one.level for one in judge_volume([FINE, attrs.evolve(FINE, quarter_turns=2)])]
    assert levels == [Level.FINE, Level.CHECK]


def test_blank_pages_do_not_nag() -> None:
    blank = PageFacts(ink=0.001, unread_share=0.0, unread_rows=0, doubt=0.9)
    findings = judge(blank, USUAL)
    assert (findings.score, findings.level) == (0, Level.BLANK)


def test_a_blank_page_with_grain_does_not_nag() -> None:
    grain = PageFacts(ink=0.05, flags=frozenset({Flag.BLANK}))
    assert judge(grain, USUAL).level is Level.BLANK


def test_a_failed_page_is_an_error() -> None:
    findings = judge(PageFacts(failed=True, ink=0.0), USUAL)
    assert (findings.score, findings.level) == (100, Level.ERROR)


def test_facts_of_files_without_the_newer_columns_are_judged_by_what_there_is() -> None:
    old = PageFacts(lines=7, coverage=0.5, ink=0.1, confidence=0.93)
    assert judge(old, typical([old] * 9)).score == 0
    assert judge(attrs.evolve(old, lines=2), typical([old] * 9)).level is Level.CHECK
    assert judge(attrs.evolve(old, confidence=0.76), typical([old] * 9)).score > 5


def test_the_usual_is_the_median_of_pages_with_lines() -> None:
    pages = [PageFacts(lines=7, coverage=0.4)] * 9 + [PageFacts(lines=90, coverage=0.9), PageFacts()]
    usual = typical(pages)
    assert (usual.lines, usual.spread, usual.coverage) == (7, 1.0, 0.4)
    assert usual.doubt is None
    assert typical(pages[:3]) == Typical()
    assert judge(PageFacts(lines=90), Typical()).score == 0


def test_a_part_with_another_layout_is_compared_with_itself() -> None:
    five, seven = attrs.evolve(FINE, lines=5), attrs.evolve(FINE, lines=9)
    pages = [five] * 30 + [seven] * 10 + [five]
    levels = [one.level for one in judge_volume(pages)]
    assert levels[:29] == [Level.FINE] * 29
    assert levels[32:39] == [Level.FINE] * 7
    assert levels[40] is Level.CHECK


def test_neighbours_are_up_to_four_pages_with_lines_on_either_side() -> None:
    pages = [PageFacts(lines=count) for count in (1, 2, 0, 3, 4, 5, 6, 7, 8, 9)]
    around = lines_around(pages)
    assert around[0] == 3.5  # 2, 3, 4 and 5
    assert around[2] == 3.5  # 1, 2 and 3 to 6
    assert around[4] == 5  # 1, 2, 3 and 5 to 8
    assert lines_around(pages[:4]) == [None] * 4


def test_ramps() -> None:
    assert [ramp(value, 1, 3) for value in (0, 1, 2, 3, 9)] == [0, 0, 0.5, 1, 1]


def test_the_volumes_verdict() -> None:
    fine, check, error = [Level.FINE], [Level.CHECK], [Level.ERROR]
    assert verdict(fine * 99 + check, lines=700) is Verdict.GOOD
    assert verdict(fine * 97 + check * 3, lines=700) is Verdict.LOOK
    assert verdict(fine * 99 + error, lines=700) is Verdict.LOOK
    assert verdict(fine * 94 + error * 6, lines=700) is Verdict.BAD
    assert verdict(fine * 89 + check * 11, lines=700) is Verdict.BAD
    assert verdict(fine * 10 + check * 2, lines=70) is Verdict.LOOK  # two covers don't condemn a booklet
    assert verdict([], lines=0) is Verdict.BAD


def test_a_volume_without_any_line_is_never_good() -> None:
    assert verdict([Level.BLANK] * 9, lines=0) is Verdict.LOOK
    assert verdict([Level.BLANK] * 9 + [Level.FINE], lines=1) is Verdict.GOOD
