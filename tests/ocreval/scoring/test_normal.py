"""The normalisation of the character error rate, rule by rule."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bec_ocreval.scoring.normal import normalised


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["བཀྲ་ ཤིས"], "བཀྲ་ཤིས"),  # white space goes
        (["ཀ\u00a0\u3000\tཁ"], "ཀཁ"),
        (["ཀ༎ཁ"], "ཀ།།ཁ"),
        (["ཀ༌ཁ"], "ཀ་ཁ"),
        (["ཀ༑ཁ༔"], "ཀ།ཁ།"),
        (["ཀ་་༌ཁ"], "ཀ་ཁ"),  # ༌ is one of the run
        (["ཀ་ ་ཁ"], "ཀ་ཁ"),  # and white space does not part it
        (["ཀ།།ཁ"], "ཀ།།ཁ"),  # shads stay as many as they are
        (["ཀ་", "་ཁ"], "ཀ་ཁ"),  # lines are joined without anything between them
        (["ཀ", "ཁ"], "ཀཁ"),
        (["", "  ", ""], ""),
        (["\u0f43"], "\u0f42\u0fb7"),  # NFC takes the letter apart
        (["\u0f73"], "\u0f71\u0f72"),
        (["\u0f40\u0f74\u0f71"], "\u0f40\u0f71\u0f74"),  # and orders the signs
        (["༄༅༈"], "༄༅༈"),  # all else is compared as it is
    ],
)
def test_each_rule(lines, text):
    assert normalised(lines).text == text


def test_characters_know_where_they_come_from():
    found = normalised(["ཀ ༎", " ཁ"])
    assert found.text == "ཀ།།ཁ"
    assert found.sources == ((0, 0), (0, 2), (0, 2), (1, 1))
    assert found.lines == ("ཀ ༎", " ཁ")


LETTERS = st.text(st.sampled_from("ཀཁ་༌།༎༑༔ \nཱིུ\u0f43"), max_size=12)


@given(st.lists(LETTERS, max_size=4))
def test_it_is_what_its_definition_says_of_the_whole_page(lines):
    text = unicodedata.normalize("NFC", "\n".join(lines))
    text = "".join(text.split()).replace("༎", "།།").replace("༌", "་").replace("༑", "།").replace("༔", "།")
    while "་་" in text:
        text = text.replace("་་", "་")
    assert normalised(lines).text == text


@given(st.lists(LETTERS, max_size=4))
def test_sources_point_at_what_was_there(lines):
    found = normalised(lines)
    alike = {"༎": "།", "༌": "་", "༑": "།", "༔": "།"}
    sources = [found.lines[line][place] for line, place in found.sources]
    assert [alike.get(one, one) for one in sources] == list(found.text)
    assert list(found.sources) == sorted(found.sources)
