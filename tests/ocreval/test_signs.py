"""What is said of a reading without truth."""

from __future__ import annotations

import pytest

from bec_ocreval.scoring.syllables import syllables
from bec_ocreval.signs import look, repetition
from bec_ocreval.spelling.check import Kind


def test_characters_and_syllables_are_counted():
    signs = look(["བཀྲ་ཤིས། ab", "མཁ་ཨོཾ་༡"])
    assert signs.characters == 18
    assert signs.foreign == 2
    assert signs.syllables == {
        Kind.WELL_FORMED: 2,
        Kind.FOREIGN: 1,
        Kind.ILL_FORMED: 1,
        Kind.SANSKRIT: 1,
        Kind.SIGN: 1,
    }


def test_nothing_is_nothing():
    signs = look(["", "  "])
    assert (signs.characters, signs.foreign, signs.syllables, signs.repeated) == (0, 0, {}, None)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["ང་" * 8], "“ང” 8 times"),
        (["ཀ་ཁ་" * 4], "“ཀ་ཁ” 4 times"),
        (["ག་ང་", *["ཀ་ཁ་ག་"] * 2, "ཀ་ཁ་ག་ཀ་ཁ་ག་"], "“ཀ་ཁ་ག” 4 times"),
        (["ཀཀཀཀཀཀ"], "“ཀ” 6 times"),
        (["ཀིིིིིི"], "“ི” 6 times"),
        (["ང་ད་ན་ཀ་ཁ་ག།"] * 3, "line 1 3 times"),
    ],
)
def test_a_recogniser_that_lost_its_place(lines, said):
    assert repetition(lines, syllables(lines)) == said


@pytest.mark.parametrize(
    "lines",
    [
        ["ང་" * 7],
        ["ཧ་ཧ་ཧ་ཧ།"],
        ["ཀ་ཁ་ག་ང་" * 3],
        ["........ ༎༎༎༎༎༎ ་་་་་་་ ======"],
        ["༡༠༠༠༠༠"],
        ["ཕྱག་འཚལ་ལོ།"] * 3,  # three syllables: a refrain
        ["བཀྲ་ཤིས་བདེ་ལེགས།", "ཕུན་སུམ་ཚོགས།"] * 2,
        [""] * 5,
    ],
)
def test_verses_mantras_and_leaders_are_let_be(lines):
    assert repetition(lines, syllables(lines)) is None
