"""Coloured texts: nothing of either side is lost, and only differences are marked."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from bec_ocreval.report.pieces import LINE_END, Mark, Piece, Row, alone, beside
from bec_ocreval.scoring.rates import score


def marked(pieces) -> list[tuple[str, str]]:
    return [(piece.text, piece.mark.value) for piece in pieces]


def test_what_is_the_same_is_not_marked():
    assert beside(["ཀ་ ཁ༎"], ["ཀ་ཁ །།"]) == (Row((Piece("ཀ་ ཁ༎"),), (Piece("ཀ་ཁ །།"),)),)


def test_differences_are_marked_on_both_sides():
    (row,) = beside(["ཀཁགང"], ["ཀཔགངཅ"])
    assert marked(row.truth) == [("ཀ", "same"), ("ཁ", "wrong"), ("གང", "same")]
    assert marked(row.reading) == [("ཀ", "same"), ("པ", "wrong"), ("གང", "same"), ("ཅ", "extra")]
    (row,) = beside(["ཀཁག"], ["ཀག"])
    assert marked(row.truth) == [("ཀ", "same"), ("ཁ", "missing"), ("ག", "same")]
    assert marked(row.reading) == [("ཀག", "same")]


def test_a_mark_takes_the_whole_stack():
    (row,) = beside(["ང་བསྒྲི་ང"], ["ང་བསྒྱི་ང"])
    assert marked(row.truth) == [("ང་བ", "same"), ("སྒྲི", "wrong"), ("་ང", "same")]
    assert marked(row.reading) == [("ང་བ", "same"), ("སྒྱི", "wrong"), ("་ང", "same")]


def test_the_reading_follows_the_truths_lines():
    first, second = beside(["ཀ་ཁ་", "ག་ང།"], ["ཀ་", "ཁ་ག་", "ང།"])
    assert marked(first.reading) == [("ཀ་", "same"), (LINE_END, "break"), ("ཁ་", "same")]
    assert marked(second.reading) == [("ག་", "same"), (LINE_END, "break"), ("ང།", "same")]


def test_one_side_may_be_empty():
    assert beside([], ["ཀ", "ཁ"]) == (
        Row((), (Piece("ཀ", Mark.EXTRA), Piece(LINE_END, Mark.BREAK), Piece("ཁ", Mark.EXTRA))),
    )
    assert beside(["ཀ", "ཁ"], []) == (
        Row((Piece("ཀ", Mark.MISSING),), ()),
        Row((Piece("ཁ", Mark.MISSING),), ()),
    )
    assert beside([], []) == (Row((), ()),)


LINES = st.lists(st.text(st.sampled_from("ཀཁྱི་།༎ a"), max_size=8), max_size=4)


@given(LINES, LINES)
def test_nothing_is_lost_and_marks_are_where_errors_are(truth, reading):
    rows = beside(truth, reading)
    assert len(rows) == max(1, len(truth))

    def shown(side: str) -> str:
        pieces = [piece for row in rows for piece in getattr(row, side)]
        return "".join(piece.text for piece in pieces if piece.mark is not Mark.BREAK)

    assert shown("truth") == unicodedata.normalize("NFC", "\n".join(truth)).replace("\n", "")
    assert shown("reading") == unicodedata.normalize("NFC", "\n".join(reading)).replace("\n", "")
    for number, line in enumerate(truth):
        assert "".join(piece.text for piece in rows[number].truth) == unicodedata.normalize("NFC", line)
    marks = {piece.mark for row in rows for piece in (*row.truth, *row.reading)} - {Mark.SAME, Mark.BREAK}
    assert bool(marks) == bool(score(truth, reading).characters.edits)


def test_a_reading_alone_shows_what_is_not_spelt_by_the_rules():
    assert marked(alone("བཀྲ་མཁ་ ab ཨོཾ།")) == [
        ("བཀྲ་", "same"),
        ("མཁ", "odd"),
        ("་ ", "same"),
        ("ab", "foreign"),
        (" ཨོཾ།", "same"),
    ]
    assert alone("") == ()
