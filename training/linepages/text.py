"""Random Tibetan text: syllables by the rules of spelling, without meaning."""

from __future__ import annotations

import attrs
import numpy as np

TSHEG, SHAD, GTER_TSHEG = "་", "།", "༔"
ROOTS = list("ཀཁགངཅཆཇཉཏཐདནཔཕབམཙཚཛཝཞཟའཡརལཤསཧཨ")
SUPERSCRIBED = {"ར": "ཀགངཇཉཏདནབམཙཛ", "ལ": "ཀགངཅཇཏདཔབཧ", "ས": "ཀགངཉཏདནཔབམཙ"}
SUBSCRIBED = {"ྱ": "ཀཁགཔཕབམ", "ྲ": "ཀཁགཏདཔཕབསཧ", "ླ": "ཀགབཟརས", "ྭ": "ཀགཉདཚཞཟརལཤ"}
PREFIXES = list("གདབམའ")
SUFFIXES = list("གངདནབམའརལས")
VOWELS = ["", "", "", "ི", "ུ", "ེ", "ོ"]
PARTICLES = "པ བ མ པའི བའི ནས ལ དང ནི གི གྱི ཀྱི གིས ཀྱིས སུ ཏུ དུ ན དེ འདི མི མེད ཡིན པར བར ཆོས སངས རྒྱས ཐམས ཅད".split()  # noqa: SIM905 - words
STACKS = "ཧཱུྃ པདྨ བཛྲ ཨོཾ ཀྵ རྒྱུ སྒྲུབ བསྒྲུབས སྤྱོད སྐྱེས བརྒྱད རྫོགས རྡོ སྟོང གཏེར ཛྙཱ ཥྚཱ དྷརྨ སིདྡྷི མཎྜལ".split()  # noqa: SIM905 - words
HEADS = ["༄༅།", "༄༅༅།", "༄༅། །", "༄༅", "༄༅།།"]
LATIN_TEXT = (
    "Work Title Author Volume Publisher Place Date Comments Scanning Information Pages total introductory text "
    "Tibetan Buddhist Resource Center Input Form Cambridge Massachusetts W1KG22570 I1PD96945 n/a LCCN ISBN "
    "karma gling pa dgongs chos zhi khro rang grol rgyal mtshan rdo rje bsam gtan 1995 12/2015 Vol. No. printed "
    "at Delhi India reproduced from the collection of library published by with support program congress"
)
LATIN_WORDS = LATIN_TEXT.split()
INDIC = "नमो रत्नत्रयाय सर्वज्ञाय बुद्धाय धर्म पद्म वज्र सूत्र सत्त्व मण्डल तन्त्र राज शास्त्र विहर स्म गुण कल्प सिद्धि".split()  # noqa: SIM905 - words


@attrs.frozen
class Token:
    """A piece of a line: text that is drawn whole, or (empty text) a gap of `gap` letter bodies."""

    text: str = ""
    gap: float = 0.0


def syllable(rng: np.random.Generator) -> str:
    """Return one syllable without its tsheg: prefix, superscript, root, subscript, vowel, suffixes."""
    root = str(rng.choice(ROOTS))
    stack = root
    over = [head for head, roots in SUPERSCRIBED.items() if root in roots]
    if over and rng.random() < 0.3:
        stack = str(rng.choice(over)) + chr(ord(root) + 0x50)
    under = [foot for foot, roots in SUBSCRIBED.items() if root in roots]
    if under and rng.random() < 0.3:
        stack += str(rng.choice(under))
    prefix = str(rng.choice(PREFIXES)) if rng.random() < 0.3 else ""
    ending = str(rng.choice(SUFFIXES)) if rng.random() < 0.6 else ""
    if ending and ending in "གངབམ" and rng.random() < 0.15:
        ending += "ས"
    return prefix + stack + str(rng.choice(VOWELS)) + ending


def vocabulary(rng: np.random.Generator, size: int = 80, stacks: float = 0.08) -> list[str]:
    """Return a page's words, each with its tsheg: 40 % particles, `stacks` of them tall stacks."""
    words: list[str] = []
    for _ in range(size):
        draw = rng.random()
        if draw < 0.4:
            words.append(str(rng.choice(PARTICLES)) + TSHEG)
        elif draw < 0.4 + stacks:
            words.append(str(rng.choice(STACKS)) + TSHEG)
        else:
            words.append(syllable(rng) + TSHEG)
    return words


class TextStream:
    """An endless text: syllables, and a shad with a wide gap every 5 to 14 of them."""

    def __init__(self, rng: np.random.Generator, words: list[str], gap: float = 1.2) -> None:
        self._rng = rng
        self._words = words
        self._gap = gap
        self._left = 0
        # Treasure texts end their phrases with a gter-tsheg instead of a shad.
        self._stop = GTER_TSHEG if rng.random() < 0.08 else SHAD

    def next(self) -> list[Token]:
        """Return the next few tokens, which belong together."""
        if self._left <= 0:
            self._left = int(self._rng.integers(5, 15))
            wide = self._gap * float(self._rng.uniform(0.6, 2.0))
            second = self._rng.random() < 0.4
            tokens = [Token(text=self._stop), Token(gap=wide)]
            return [*tokens, Token(text=self._stop), Token(gap=0.15)] if second else tokens
        self._left -= 1
        return [Token(text=self._words[int(self._rng.integers(len(self._words)))])]

    def head(self) -> list[Token]:
        """Return a page's opening: the head mark and a gap that may be very wide."""
        gap = float(self._rng.choice([0.5, 1.5, 4.0, 9.0, 15.0], p=[0.3, 0.25, 0.2, 0.15, 0.1]))
        return [Token(text=str(self._rng.choice(HEADS))), Token(gap=gap)]
