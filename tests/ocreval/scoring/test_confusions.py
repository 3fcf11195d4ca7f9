"""Confusions: which edits there are, and which come first."""

from __future__ import annotations

from bec_ocreval.scoring.confusions import (
    Confusion,
    character_confusions,
    most_frequent,
    syllable_confusions,
)


def test_edits_are_told_apart():
    assert character_confusions(["ངངང"], ["ངདང"]) == {("ང", "ད"): 1}
    assert character_confusions(["ཀཁ"], ["ཀ"]) == {("ཁ", ""): 1}
    assert character_confusions(["ཀ"], ["ཀ།"]) == {("", "།"): 1}
    assert character_confusions(["ཀ༎"], ["ཀ ། །"]) == {}


def test_syllables_are_compared_whole():
    assert syllable_confusions(["བཀྲ་ཤིས།"], ["བགྲ་ཤིས"]) == {("བཀྲ", "བགྲ"): 1}
    assert syllable_confusions(["ཀ་ཁ་ག"], ["ཀ་ག"]) == {("ཁ", ""): 1}


def test_the_most_frequent_come_first_and_equal_ones_in_order():
    tally = character_confusions(["ངཀངཁང"], ["དཀདཁད"]) + character_confusions(["ཀ", "ཁ"], ["ཁ", "ཁ"])
    assert most_frequent(tally, 1) == (Confusion("ང", "ད", 3),)
    assert most_frequent(tally, 9)[1:] == (Confusion("ཀ", "ཁ", 1),)
