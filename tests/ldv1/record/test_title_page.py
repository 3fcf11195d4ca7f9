"""What is taken for a title page, and what its suspicion then leaves out."""

from __future__ import annotations

import attrs
import pytest

from bec_ldv1.page.flags import Flag
from bec_ldv1.record.layout import Layout
from bec_ldv1.record.suspicion import TITLE_PAGE, Level, judge, judge_volume
from bec_ldv1.record.title_page import title_page
from bec_ldv1.record.usual import PageFacts, typical

LEAF = PageFacts(lines=6, coverage=0.5, ink=0.1, confidence=0.95, unread_share=0.0, unread_rows=0, doubt=0.01)
TITLE = attrs.evolve(LEAF, lines=1, coverage=0.06)
BLANK = PageFacts(ink=0.0)


def test_a_title_page_is_no_alarm() -> None:
    pages = [TITLE, *[LEAF] * 8]
    assert judge(TITLE, typical(pages)).level is Level.CHECK  # compared with the others it were one
    found = judge_volume(pages)
    assert [one.level for one in found] == [Level.FINE] * 9
    assert found[0].reasons == (TITLE_PAGE,)
    assert found[1].reasons == ()


def test_a_first_page_in_a_short_book_may_begin_lower() -> None:
    """With three pages nothing is usual, so the layout is held against fixed bounds."""
    layout = Layout(height=0.02, gap=1.9, closest=1.0, uneven=0.4, shortest=0.4, beside=0)
    opening = attrs.evolve(LEAF, lines=13, doubt=0.05, layout=layout)
    pages = [opening, attrs.evolve(LEAF, lines=20), attrs.evolve(LEAF, lines=18)]
    assert judge(opening, typical(pages)).level is Level.CHECK
    assert judge_volume(pages)[0].level is Level.FINE


@pytest.mark.parametrize(
    "wrong",
    [
        {"unread_rows": 1},
        {"unread_rows": None},
        {"unread_share": 0.5},
        {"unread_tails": 1},
        {"flags": frozenset({Flag.FAINT})},
        {"quarter_turns": 1},
        {"failed": True},
    ],
)
def test_other_faults_of_a_title_page_count(wrong: dict[str, object]) -> None:
    found = judge_volume([attrs.evolve(TITLE, **wrong), *[LEAF] * 8])[0]
    assert found.level in (Level.CHECK, Level.ERROR)


@pytest.mark.parametrize(
    ("pages", "where"),
    [
        ([TITLE, LEAF, LEAF], 0),
        ([BLANK, BLANK, TITLE, LEAF, LEAF], 2),
        ([BLANK] * 4 + [TITLE, LEAF, LEAF], None),  # too late
        ([LEAF, TITLE, LEAF, LEAF], None),  # not the first
        ([attrs.evolve(LEAF, lines=5), LEAF, LEAF], None),  # not fewer enough
        ([TITLE, LEAF], None),  # nothing to compare with
        ([], None),
    ],
)
def test_which_page_is_one(pages: list[PageFacts], where: int | None) -> None:
    assert title_page(pages) == where


def test_a_short_page_in_the_middle_is_still_an_alarm() -> None:
    assert judge_volume([TITLE, LEAF, LEAF, LEAF, TITLE, *[LEAF] * 5])[4].level is Level.CHECK
