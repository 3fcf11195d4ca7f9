"""Recognised text as it is recorded."""

from __future__ import annotations

import re
import unicodedata

UNSURE, DOUBTFUL = 0.5, 0.8
"""Confidences under these are unsure and doubtful."""

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_HALVES = re.compile("[\ud800-\udfff]")


def recorded(text: str) -> str:
    """One line in NFC: controls and line breaks are spaces, halves of surrogate pairs are U+FFFD, no space at the ends.

    NFC leaves Tibetan vowel signs decomposed (U+0F73 is written as its two parts): that is Unicode's rule.
    """
    whole = _HALVES.sub("\ufffd", _BREAKS.sub(" ", text))
    return unicodedata.normalize("NFC", whole).strip()


def characters(text: str) -> int:
    """How many characters a text has, spaces not counted."""
    return sum(not character.isspace() for character in text)
