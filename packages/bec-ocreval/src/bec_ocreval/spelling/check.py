"""What kind of syllable it is: spelt by the rules, Sanskrit, a number or sign, foreign, or none of these."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from bec_ocreval.spelling.letters import (
    PREFIXED,
    SANSKRIT,
    SANSKRIT_FINALS,
    SANSKRIT_ONLY,
    SANSKRIT_VOWELS,
    SANSKRIT_WORDS,
    SECOND_SUFFIXES,
    SUFFIXES,
    TAILS,
    VOWELS,
    below,
    plain_stacks,
)


class Kind(StrEnum):
    """The kinds of syllables."""

    WELL_FORMED = "well_formed"
    SANSKRIT = "sanskrit"
    ILL_FORMED = "ill_formed"
    SIGN = "sign"
    FOREIGN = "foreign"


@lru_cache(maxsize=65_536)
def kind(syllable: str) -> Kind:
    """The kind of a syllable, which is one of :func:`bec_ocreval.scoring.syllables.syllables`.

    What is written without its tsheg (``བཀྲཤིས``) is ill-formed. Sanskrit is what only Sanskrit has (its
    letters, signs and stacks) in an order that it may have; whether it is a word of it is not known.
    """
    plain = _bare(syllable.translate(_ALIKE))
    if _STANDARD.fullmatch(plain):
        return Kind.WELL_FORMED
    if not _TIBETAN.fullmatch(plain):
        return Kind.FOREIGN
    if all(unicodedata.category(character)[0] in "NSP" for character in plain):
        return Kind.SIGN
    if plain in _SANSKRIT_WORDS or (_shows_sanskrit(plain) and _SANSKRIT.fullmatch(plain)):
        return Kind.SANSKRIT
    return Kind.ILL_FORMED


def _any(units: Iterable[str]) -> str:
    """An expression that matches one of these, the longest first."""
    return "(?:" + "|".join(map(re.escape, sorted(units, key=lambda unit: (-len(unit), unit)))) + ")"


def _standard() -> re.Pattern[str]:
    """The standard orthography as one expression."""
    second = "|".join(f"[{first}]{letter}" for letter, first in SECOND_SUFFIXES.items())
    ending = f"(?:{second}|[{SUFFIXES}]|{_any(TAILS)})"
    whole = {prefix + root for prefix, roots in PREFIXED.items() for root in roots.split()}
    bare = {unit for unit in whole if len(unit) == 2}
    # Without vowel or ending, a prefix before a bare letter would be taken for the root: འ is written
    # to show that it is none.
    return re.compile(
        f"{_any(plain_stacks())}[{VOWELS}]?{ending}?"
        f"|{_any(whole)}(?:[{VOWELS}]{ending}?|{ending})"
        f"|{_any(bare)}འ|{_any(whole - bare)}"
    )


def _sanskrit() -> re.Pattern[str]:
    """One or more stacks of Sanskrit's letters, each with at most a long sign and a vowel, and what may end it."""
    under = "".join(map(below, SANSKRIT)) + "\u0fba-\u0fbc"
    return re.compile(
        f"(?:\u0f00|[{SANSKRIT}][{under}]{{0,4}}\u0f71?[{SANSKRIT_VOWELS}]?[{SANSKRIT_FINALS}]{{0,2}})+"
        f"{_any(TAILS)}?"
    )


_STANDARD = _standard()
_SANSKRIT = _sanskrit()
_PLAIN_STACKS = plain_stacks()
_STACK = re.compile("[\u0f40-\u0f6c][\u0f90-\u0fbc]*")
_ONLY_SANSKRIT = re.compile(f"[{SANSKRIT_ONLY}]")
_TIBETAN = re.compile("[\u0f00-\u0fff]+")
_SANSKRIT_WORDS = frozenset(word + tail for word in SANSKRIT_WORDS for tail in ("", *TAILS))
_ALIKE = {0x0F6A: "ར", 0x0F35: None, 0x0F37: None}
"""The ར that keeps its form is a ར; marks of emphasis are no part of the spelling."""


def _bare(syllable: str) -> str:
    """A syllable without others' punctuation around it (``“དེ”``)."""
    start, end = 0, len(syllable)
    while start < end and _is_others_sign(syllable[start]):
        start += 1
    while end > start and _is_others_sign(syllable[end - 1]):
        end -= 1
    return syllable[start:end]


def _is_others_sign(character: str) -> bool:
    return not "\u0f00" <= character <= "\u0fff" and not character.isalnum()


def _shows_sanskrit(syllable: str) -> bool:
    """Whether anything in it can't be Tibetan but may be Sanskrit: a letter, a sign, or a stack."""
    return bool(_ONLY_SANSKRIT.search(syllable)) or not _PLAIN_STACKS.issuperset(_STACK.findall(syllable))
