"""Error rates on pages small enough to count by hand, and against another program."""

from __future__ import annotations

import pytest
import tibetan_wer
from hypothesis import given
from hypothesis import strategies as st

from bec_ocreval.scoring.rates import Edits, score, total
from bec_ocreval.scoring.syllables import syllables

TRUTH = ["བཀྲ་ཤིས་བདེ་ལེགས།", "ཕུན་སུམ་ཚོགས།"]


def test_the_truth_itself_has_no_errors():
    assert score(TRUTH, TRUTH).characters == Edits(0, 30)
    assert score(TRUTH, TRUTH).syllables == Edits(0, 7)


def test_edits_are_counted():
    reading = ["བཀྲ་ཤིས་བདེ་ལགས།", "ཕུན་སུམ་ཚོགསས།"]  # a vowel is missing, a letter is twice
    assert score(TRUTH, reading).characters == Edits(2, 30)
    assert score(TRUTH, reading).syllables == Edits(2, 7)


def test_other_line_breaks_and_spaces_are_no_errors():
    assert score(TRUTH, ["བཀྲ་ཤིས་ བདེ་", "ལེགས། ཕུན་སུམ་ཚོགས།"]).characters.edits == 0


def test_lines_in_another_order_are_errors():
    assert score(TRUTH, TRUTH[::-1]).characters.edits > 0


def test_nothing_read_is_all_wrong():
    assert score(TRUTH, []).characters.rate == 1
    assert score(TRUTH, []).syllables.rate == 1


def test_a_page_without_text_has_no_rate_but_edits():
    found = score([], ["ཀ་ཁ"])
    assert (found.characters, found.characters.rate) == (Edits(3, 0), None)
    assert found.syllables == Edits(2, 0)


def test_pages_weigh_what_they_hold():
    assert total([Edits(1, 10), Edits(0, 90)]).rate == 0.01
    assert total([Edits(3, 0), Edits(0, 30)]).rate == 0.1
    assert total([]).rate is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["༄༅། །བཀྲ་ཤིས། "], ["བཀྲ", "ཤིས"]),
        (["པས། ལུགས༔ཀ༌ཁ"], ["པས", "ལུགས", "ཀ", "ཁ"]),
        (["ཤིས", "བདེ"], ["ཤིས", "བདེ"]),  # a line break parts syllables
        (["༼ཀ༽༡༢"], ["ཀ", "༡༢"]),
        ([], []),
    ],
)
def test_syllables(lines, expected):
    assert syllables(lines) == expected


TEXTS = st.text(st.sampled_from("ཀཁགི་།༔ \n༄༼༡a"), max_size=30)


@given(TEXTS, TEXTS)
def test_syllables_are_counted_as_by_another_program(truth, reading):
    other = tibetan_wer.ser([reading], [truth])
    ours = score([truth], [reading]).syllables
    if ours.length:
        assert other["micro_ser"] == pytest.approx(ours.rate)
        (sentence,) = other["per_sentence"]
        assert (sentence["edits"], sentence["reference_length"]) == (ours.edits, ours.length)
