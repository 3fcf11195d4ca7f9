"""What rendered lines say: runs of a plain text, syllables by the rules of spelling, numbers and rare signs."""

from __future__ import annotations

import gzip
import re
import unicodedata
from pathlib import Path

import attrs
import numpy as np

from linepages.text import GTER_TSHEG, HEADS, SHAD, STACKS, TSHEG, vocabulary

_LETTERS = [*range(0xF40, 0xF48), *range(0xF49, 0xF6D)]
_BELOW = [*range(0xF90, 0xF98), *range(0xF99, 0xFBD)]
_SIGNS = [0xF71, 0xF72, 0xF74, *range(0xF7A, 0xF81), 0xF82, 0xF83, 0xF84, 0xF85, 0xF39, 0xF35, 0xF37]
_MARKS = [
    0xF04,
    0xF05,
    0xF06,
    0xF07,
    0xF08,
    0xF0B,
    0xF0D,
    0xF0F,
    0xF10,
    0xF11,
    0xF14,
    0xF3A,
    0xF3B,
    0xF3C,
    0xF3D,
]
_DIGITS = range(0xF20, 0xF2A)
_OTHER = "0123456789()[]-–.,/“”‘’*"
ALPHABET = "".join(map(chr, sorted([*_LETTERS, *_BELOW, *_SIGNS, *_MARKS, *_DIGITS]))) + _OTHER
"""The network's classes in order (its blank comes before them): code points, no spaces."""

NYIS_SHAD = "༎"
_KNOWN = {*ALPHABET, " "}

_RARE = "༄༅༆༇༈༏༐༑༔༼༽༺༻྅ྃཾཿ྄༹༵༷"
_SANSKRIT_TEXT = (
    "ཨོཾ ཨཱཿ ཧཱུྃ ཧྲཱིཿ བཛྲ པདྨ སཏྭ ས་མ་ཡ སྭཱ་ཧཱ ཏདྱ་ཐཱ ཤཱཀྱ དྷརྨ བུདྡྷ སངྒྷ མཎྜལ སིདྡྷི གུ་རུ ཀྲོ་དྷ ཕཊ ཥཊ ཙཀྲ རཏྣ "
    "ཀརྨ ཏཱ་རེ ཏུཏྟཱ་རེ མཉྫུ་ཤྲཱི ཀྵེ་ཏྲ བྷ་ག་ཝཱན ཨ་ར་པ་ཙ་ན་དྷཱིཿ ཛྙཱ་ན པྲཛྙཱ སཱུ་ཏྲ ཏནྟྲ མནྟྲ ཤཱནྟ པུཥྤེ དྷཱུ་པེ "
    "ཨཱ་ལོ་ཀེ གནྡྷེ ནཻ་ཝི་དྱ ཤབྡ ཨརྒྷཾ པཱདྱཾ ཌཱ་ཀི་ནཱི ཌཱཀྐི ཡ་མཱནྟ་ཀ ཧེ་རུ་ཀ ཀཱི་ལ་ཡ བིཤྭ ཀུ་ཎྜ་ལི ལོ་ཙཱ་བ པཎྜི་ཏ "
    "ཨཻ་ལོ ཨཽ ཊཱི་ཀཱ ཋ ཌྷ ཎ ཥ"
)
_SANSKRIT = _SANSKRIT_TEXT.split()


def folded(text: str) -> str:
    """Return a text as classes spell it: NFC, double and ornamental shads as plain ones, no white space."""
    text = unicodedata.normalize("NFC", text)
    for old, new in (("༎", "།།"), ("༌", TSHEG), ("༑", SHAD)):
        text = text.replace(old, new)
    text = re.sub(r"\s+", "", text)
    return re.sub(f"{TSHEG}+", TSHEG, text)


@attrs.frozen(eq=False)
class Corpus:
    """A plain text to render, and the part of it that is never rendered for training.

    Attributes:
        words: syllables with what follows them (tsheg, shad, space), in order.
        held_out: the same of the text's last part.
    """

    words: list[str]
    held_out: list[str]

    @classmethod
    def load(cls, path: Path, held_out: float = 0.03) -> Corpus:
        """Read a (gzipped) text; its last `held_out` is kept apart."""
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
        cut = text.rfind("\n", 0, int(len(text) * (1 - held_out))) + 1
        return cls(split(text[:cut]), split(text[cut:]))


def split(text: str) -> list[str]:
    """Split into syllables, each with its tsheg, shads and one space for each white space after it."""
    text = unicodedata.normalize("NFC", text).replace("༌", TSHEG).replace("༑", SHAD)
    text = re.sub(r"\s+", " ", text)
    return re.findall(rf"[^{TSHEG}{SHAD}{GTER_TSHEG} ]*[{TSHEG}{SHAD}{GTER_TSHEG}]*\s?", text)[:-1]


class Writer:
    """Draws texts for lines: more words than fit, to be set until the line is full.

    Args:
        held_out: of the text's part that is kept apart.
        text_only: nothing but runs of the text; else invented syllables and rare signs too.
    """

    def __init__(self, corpus: Corpus, *, held_out: bool = False, text_only: bool = False) -> None:
        self._words = corpus.held_out if held_out else corpus.words
        self._text_only = text_only

    def words(self, rng: np.random.Generator, count: int) -> list[str]:
        """Return `count` pieces of text, each to be drawn whole; spaces are gaps."""
        draw = 0.0 if self._text_only else rng.random()
        gter = bool(rng.random() < 0.04)
        if draw < 0.72:
            start = int(rng.integers(0, max(1, len(self._words) - count)))
            words = self._words[start : start + count]
            if not self._text_only and rng.random() < 0.2:
                words = sprinkled(words, rng, 0.12)
        elif draw < 0.92:
            words = _invented(rng, count)
        else:
            words = sprinkled(_invented(rng, count), rng, 0.5)
        if rng.random() < 0.06:
            words = [str(rng.choice(HEADS)) + " ", *words]
        words = [word for word in words[:count] if _KNOWN.issuperset(word)]
        if not gter and rng.random() < 0.15:
            words = _doubled(words)
        return [word.replace(SHAD, GTER_TSHEG) for word in words] if gter else words


def _doubled(words: list[str]) -> list[str]:
    """Return words with two shads in a row as the one sign that stands for them."""
    out: list[str] = []
    for word in words:
        if word == SHAD and out and out[-1].endswith(SHAD + " "):
            out[-1] = out[-1][:-2] + NYIS_SHAD + " "
        else:
            out.append(word.replace(SHAD + SHAD, NYIS_SHAD))
    return out


def _invented(rng: np.random.Generator, count: int) -> list[str]:
    words = vocabulary(rng, count, stacks=float(rng.uniform(0.02, 0.2)))
    left = int(rng.integers(2, 12))
    for index in range(count):
        left -= 1
        if left <= 0:
            ending = str(
                rng.choice([SHAD + " ", SHAD, SHAD + " " + SHAD, SHAD + SHAD + " "], p=[0.4, 0.1, 0.35, 0.15])
            )
            keep = words[index].endswith("ང" + TSHEG) or rng.random() < 0.1
            words[index] = (words[index] if keep else words[index].rstrip(TSHEG)) + ending
            left = int(rng.integers(4, 14))
    return words


def sprinkled(words: list[str], rng: np.random.Generator, share: float) -> list[str]:
    """Return words with some put among them that a plain text hardly has."""
    out: list[str] = []
    for word in words:
        out.append(word)
        if rng.random() < share:
            out.append(_rarity(rng))
    return out


def _rarity(rng: np.random.Generator) -> str:
    draw = rng.random()
    if draw < 0.25:
        return str(rng.choice(_SANSKRIT)) + TSHEG
    if draw < 0.35:
        return str(rng.choice(STACKS)) + TSHEG
    if draw < 0.65:
        digits = "".join(chr(0xF20 + int(d)) for d in str(int(10 ** rng.uniform(0, 4.5))))
        return digits + str(rng.choice(["", " ", TSHEG, "༽", SHAD, "“"]))
    if draw < 0.75:
        return (
            str(rng.choice(["", "(", "-", "["]))
            + str(int(10 ** rng.uniform(0, 4)))
            + str(rng.choice(["", ")", ".", "-", "]", "/", ","]))
        )
    if draw < 0.84:
        return str(rng.choice(["“", "”", "‘", "’", "(", ")", "༼", "༽", "-", "–", "*"]))
    if draw < 0.92:
        return str(rng.choice(list(_RARE)[:-4])) + str(rng.choice(["", " "]))
    root = chr(int(rng.choice(_LETTERS[:42])))
    below = chr(int(rng.choice(_BELOW[:40]))) if rng.random() < 0.6 else ""
    vowel = str(rng.choice(["", "ཱ", "ི", "ུ", "ེ", "ཻ", "ོ", "ཽ", "ྀ", "ཱི", "ཱུ"]))
    sign = str(rng.choice(["", "", "ཾ", "ྃ", "ཿ", "྄", "༹"]))
    return unicodedata.normalize("NFC", root + below + vowel + sign) + TSHEG
