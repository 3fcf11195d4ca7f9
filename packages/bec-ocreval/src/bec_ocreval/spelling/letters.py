"""Which letters of Tibetan stand where in a syllable of the standard orthography.

A syllable is ``[prefix] root [vowel] [suffix [second suffix]]``; the root may carry a superscribed and
subscribed letters. The tables are those of the traditional grammars (*sum cu pa*, *rtags kyi 'jug pa*):
what may stand on what, under what, and before what.
"""

from __future__ import annotations

CONSONANTS = "ཀཁགངཅཆཇཉཏཐདནཔཕབམཙཚཛཝཞཟའཡརལཤསཧཨ"
"""The thirty letters, each of which may be a root by itself."""

VOWELS = "ིེོུ"

SUPERSCRIBED = {
    "ར": "ཀགངཇཉཏདནབམཙཛ",
    "ལ": "ཀགངཅཇཏདཔབཧ",
    "ས": "ཀགངཉཏདནཔབམཙ",
}
"""Letters that stand on others: on which."""

YA, RA, LA, WA = "ྱ", "ྲ", "ླ", "ྭ"

SUBSCRIBED = {
    YA: "ཀ ཁ ག པ ཕ བ མ རྐ རྒ རྨ སྐ སྒ སྤ སྦ སྨ",
    RA: "ཀ ཁ ག ཏ ཐ ད ན པ ཕ བ མ ཤ ས ཧ སྐ སྒ སྣ སྤ སྦ སྨ",
    LA: "ཀ ག བ ཟ ར ས",
    WA: "ཀ ཁ ག ཅ ཉ ཏ ད ཙ ཚ ཞ ཟ ར ལ ཤ ས ཧ གྲ ཕྱ རྩ",
}
"""Letters that stand under others: under which (stacks with what stands on them)."""

PREFIXED = {
    "ག": "ཅ ཉ ཏ ད ན ཙ ཞ ཟ ཡ ཤ ས",
    "ད": "ཀ ག ང པ བ མ ཀྱ ཀྲ གྱ གྲ པྱ པྲ བྱ བྲ མྱ",
    "བ": "ཀ ག ཅ ཏ ད ཙ ཞ ཟ ཤ ས ཀྱ ཀྲ གྱ གྲ ཀླ ཟླ རླ སླ སྲ རྐ རྒ རྔ རྗ རྙ རྟ རྡ རྣ རྩ རྫ ལྟ ལྡ སྐ སྒ སྔ སྙ སྟ སྡ སྣ སྩ རྐྱ རྒྱ སྐྱ སྒྱ སྐྲ སྒྲ",
    "མ": "ཁ ག ང ཆ ཇ ཉ ཐ ད ན ཚ ཛ ཁྱ ཁྲ གྱ གྲ",
    "འ": "ཁ ག ཆ ཇ ཐ ད ཕ བ ཚ ཛ ཁྱ ཁྲ གྱ གྲ དྲ ཕྱ ཕྲ བྱ བྲ",
}
"""Letters that stand before others: before which (whole stacks)."""

SUFFIXES = "གངདནབམརལས"
"""Letters that may end a syllable; ``འ`` ends one only after a prefix and a root without vowel."""

SECOND_SUFFIXES = {"ས": "གངབམ", "ད": "ནརལ"}
"""Letters that may stand after a suffix: after which. ``ད`` is archaic."""

TAILS = ("འི", "འོ", "འང", "འམ", "འུ", "འུའི", "འུའོ", "འུའང", "འུའམ", "འུར", "འུས", "འིའོ", "འིའང")
"""What is written on to a syllable that ends in its vowel, without a tsheg.

Particles, the diminutive, and one after the other.
"""

SANSKRIT = "ཀཁགངཙཚཛཉཊཋཌཎཏཐདནཔཕབམཡརལཝཤཥསཧཨ"
"""Letters that transliterate Sanskrit; others never stand in a stack of it."""

SANSKRIT_ONLY = "\u0f00ཊཋཌཎཥ\u0f71\u0f76-\u0f79\u0f7b\u0f7d-\u0f80\u0f81\u0f82-\u0f87"
"""Letters and signs that no Tibetan word has (retroflexes, long vowels, anusvara, visarga …), the inside of a class."""

SANSKRIT_VOWELS = "\u0f71\u0f72\u0f74\u0f76-\u0f7d\u0f80\u0f81"
"""The inside of a class."""

SANSKRIT_FINALS = "\u0f7e\u0f7f\u0f82-\u0f87"
"""Anusvara, visarga, virama and their like, the inside of a class."""

SANSKRIT_WORDS = ("ཀརྨ", "སརྦ", "ཝརྨ", "ཙརྨ", "ཙཀྲ", "ཛམྦུ", "སེངྒེ", "ལིངྒ", "གུརུ", "པུསྟི", "མུདྲ")
"""Common words in which every stack might be Tibetan, so that nothing shows them to be Sanskrit."""


def below(letter: str) -> str:
    """A letter as it is encoded under another one."""
    return chr(ord(letter) + 0x50)


def plain_stacks() -> frozenset[str]:
    """Every root that the rules allow, with what stands on and under it."""
    topped = {top + below(letter) for top, letters in SUPERSCRIBED.items() for letter in letters}
    footed = {stack + foot for foot, stacks in SUBSCRIBED.items() for stack in stacks.split()}
    return frozenset(set(CONSONANTS) | topped | footed)
