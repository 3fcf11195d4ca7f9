"""Spelling: what the grammars allow is well-formed, what they don't is not, and Sanskrit is neither."""

from __future__ import annotations

import pytest

from bec_ocreval.spelling.check import Kind, kind
from bec_ocreval.spelling.letters import CONSONANTS, PREFIXED, SUBSCRIBED, SUPERSCRIBED, plain_stacks


def words(text: str) -> list[str]:
    return text.split()


GOOD = """
ཀ ང བོད དེ ནི ལ ལས བཀྲ ཤིས བདེ ལེགས སངས རྒྱས བྱང ཆུབ སེམས དཔའ དཔའི མདའ མདའི དགའ བཀའ མཁའ ནམ མཁའི
བསྒྲུབས བརྒྱད བསྐྱངས བརྙེས བལྟས བླངས གཟིགས འབྲུག འཕྲིན མཁྱེན མཆོག ལྷ ལྷའི ཀློག ཟླ རླུང སླད གྲྭ ཕྱྭ རྩྭ ཚྭ ཞྭ ཧྲིལ
པའི པའོ པའང པའམ པའིའོ རེའུ རེའུའི མིའུ བེའུར དེའང ལེའུ སྤྲེའུས གྱུརད ཀུནད སྐྱོནད ལྡན ལྗོངས ལྕགས རྫོགས སྙིང
བཅོམ བརྩོན མཚན འཚེར གཉིས གསུམ བཞི ལྔ དྲུག བདུན དགུ བཅུ འདྲེན འདི འོད ཨ ཨེ ཡི ཝ ཧ དབྱངས དབྲལ དམྱལ དྭགས
"""

BAD = """
བཀྲཤིས ཀཀ མཁ བཀ གཀ དཁ མཀ བཁ འཀ ཀའ བོདང ཁྲྱ ངྲ ཅྲ ལྒྲ རྤ སྟྲ ི ཱ ྲ ཀིི ཀིོ ཀེུ ཤིསས སངསད གདགསས ཀཤ ཀཁ ཤྱ གྷྱཤ ཀ་
"""

NEITHER = "བཀྲཤིས མཁ བཀ ཀའ བོདང ི ྲ ཀིི ཤིསས ཀཁ སྟྲཞ ཇྫ ཞྱཱ"

SANSKRIT = """
ཨོཾ ཧཱུྃ ཧཱུཾ པདྨ པདྨའི བཛྲ དྷརྨ ཤཱཀྱ ཀྵ སྭཱ ཧཿ ཨཱཿ ཧྲཱིཿ མཎྜལ བུདྡྷ ཤྲཱི རཏྣ སིདྡྷི ཙཀྲ གུརུ ཀརྨའི སེངྒེའི ༀ
"""


@pytest.mark.parametrize("syllable", words(GOOD))
def test_what_the_grammars_allow(syllable):
    assert kind(syllable) is Kind.WELL_FORMED


@pytest.mark.parametrize("syllable", words(BAD))
def test_what_they_dont(syllable):
    assert kind(syllable) in (Kind.ILL_FORMED, Kind.SANSKRIT)
    assert kind(syllable) is not Kind.WELL_FORMED


@pytest.mark.parametrize("syllable", words(NEITHER))
def test_what_is_no_sanskrit_either(syllable):
    assert kind(syllable) is Kind.ILL_FORMED


@pytest.mark.parametrize("syllable", words(SANSKRIT))
def test_sanskrit_is_noted_apart(syllable):
    assert kind(syllable) is Kind.SANSKRIT


@pytest.mark.parametrize(
    ("syllable", "expected"),
    [
        ("༡༢", Kind.SIGN),
        ("༁", Kind.SIGN),
        ("12", Kind.FOREIGN),
        ("—", Kind.FOREIGN),
        ("པa", Kind.FOREIGN),
        ("中", Kind.FOREIGN),
        ("“དེ”", Kind.WELL_FORMED),  # others' quotation marks stand beside it
        ("(བཀ", Kind.ILL_FORMED),
        ("ཪྐང", Kind.WELL_FORMED),  # the ར that keeps its form
        ("དེ༵", Kind.WELL_FORMED),  # emphasis
    ],
)
def test_numbers_signs_and_strangers(syllable, expected):
    assert kind(syllable) is expected


def test_the_tables_hold_what_the_grammars_count():
    assert len(set(CONSONANTS)) == 30
    assert {top: len(letters) for top, letters in SUPERSCRIBED.items()} == {"ར": 12, "ལ": 10, "ས": 11}
    feet = {foot: sum(len(stack) == 1 for stack in stacks.split()) for foot, stacks in SUBSCRIBED.items()}
    assert feet == {"ྱ": 7, "ྲ": 14, "ླ": 6, "ྭ": 16}
    assert {prefix: sum(len(root) == 1 for root in roots.split()) for prefix, roots in PREFIXED.items()} == {
        "ག": 11,
        "ད": 6,
        "བ": 10,
        "མ": 11,
        "འ": 10,
    }


def test_every_prefix_stands_before_a_stack_that_there_is():
    assert {root for roots in PREFIXED.values() for root in roots.split()} <= plain_stacks()
