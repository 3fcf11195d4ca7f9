"""How suspicious a page is, from made-up facts."""

from __future__ import annotations

import pytest

from bec_ldv1.record.suspicion import CHECK, Level, PageFacts, Typical, Verdict, judge, typical, verdict

USUAL = Typical(lines=7, spread=1, coverage=0.5)


def test_a_usual_page_gets_no_points() -> None:
    findings = judge(PageFacts(lines=7, coverage=0.5, ink=0.1, rotation=0.4), USUAL)
    assert (findings.score, findings.level, findings.reasons) == (0, Level.FINE, ())


def test_a_failed_page_is_an_error_whatever_else_is_known() -> None:
    findings = judge(PageFacts(failed=True, ink=0.0), USUAL)
    assert (findings.score, findings.level) == (100, Level.ERROR)


@pytest.mark.parametrize(
    ("facts", "score", "level"),
    [
        (PageFacts(ink=0.05), 70, Level.CHECK),
        (PageFacts(ink=0.05, outer=True), 40, Level.CHECK),
        (PageFacts(), 35, Level.CHECK),
        (PageFacts(ink=0.001), 0, Level.BLANK),
    ],
)
def test_a_page_without_lines_is_judged_by_its_ink_and_place(
    facts: PageFacts, score: int, level: Level
) -> None:
    findings = judge(facts, USUAL)
    assert (findings.score, findings.level) == (score, level)
    assert len(findings.reasons) == 1


def test_the_farther_the_count_the_more_points_and_both_sides_count_alike() -> None:
    scores = [judge(PageFacts(lines=7 + more), USUAL).score for more in range(8)]
    assert scores == sorted(scores)
    assert scores[2] == 0 < scores[3]
    assert judge(PageFacts(lines=3), USUAL).score == judge(PageFacts(lines=11), USUAL).score
    assert "3 lines, where 7 are usual" in judge(PageFacts(lines=3), USUAL).reasons[0]


def test_every_other_sign_gives_points_and_a_sentence() -> None:
    signs = {
        "cover": PageFacts(lines=7, coverage=0.1),
        "turned 4.0° clockwise": PageFacts(lines=7, rotation=-4.0),
        "one line is unsure (confidence 70%)": PageFacts(lines=7, confidence=0.7),
        "curved": PageFacts(lines=7, curved=True),
    }
    for words, facts in signs.items():
        findings = judge(facts, USUAL)
        assert findings.score > 0
        assert words in findings.reasons[0]


def test_reasons_stand_weightiest_first_and_the_score_ends_at_100() -> None:
    findings = judge(PageFacts(lines=40, coverage=0.01, rotation=5.0, curved=True, confidence=0.1), USUAL)
    assert findings.score == 100
    assert "40 lines" in findings.reasons[0]
    assert "curved" in findings.reasons[-1]


def test_typical_is_robust_and_needs_some_pages() -> None:
    pages = [PageFacts(lines=7, coverage=0.4)] * 9 + [PageFacts(lines=90, coverage=0.9), PageFacts()]
    assert typical(pages) == Typical(lines=7, spread=1.0, coverage=0.4)
    assert typical(pages[:3]) == Typical()
    assert judge(PageFacts(lines=90), Typical()).score == 0


def test_the_volumes_verdict() -> None:
    fine, check, error = [Level.FINE], [Level.CHECK], [Level.ERROR]
    assert verdict(fine * 99 + check) is Verdict.GOOD
    assert verdict(fine * 97 + check * 3) is Verdict.LOOK
    assert verdict(fine * 99 + error) is Verdict.LOOK
    assert verdict(fine * 94 + error * 6) is Verdict.BAD
    assert verdict(fine * 89 + check * 11) is Verdict.BAD
    assert verdict(fine * 10 + check * 2) is Verdict.LOOK  # two covers don't condemn a booklet
    assert verdict([]) is Verdict.BAD
    assert judge(PageFacts(lines=7, rotation=1.0 + CHECK / 10), USUAL).level is Level.CHECK
