"""What two texts have in common before they are compared: the normalisation of the character error rate.

NFC; white space dropped; ``༎`` as ``།།``; ``༌`` as ``་``; ``༑`` and ``༔`` as ``།``; a run of ``་`` as one.
Line breaks are white space: nothing stands for them, and a tsheg at a line's end and one at the next one's
beginning are a run.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from attrs import frozen

TSHEG = "་"
SHAD = "།"

_SAME = {"༎": SHAD + SHAD, "༌": TSHEG, "༑": SHAD, "༔": SHAD}


@frozen
class Normalised:
    """A normalised text, and for each of its characters where it comes from.

    Attributes:
        text: what is compared.
        lines: the lines that it was made from, in NFC.
        sources: for each character of ``text`` the line and the character in it, counted from 0.
    """

    text: str
    lines: tuple[str, ...]
    sources: tuple[tuple[int, int], ...]


def normalised(lines: Sequence[str]) -> Normalised:
    """A page's lines in reading order as one normalised text."""
    composed = tuple(unicodedata.normalize("NFC", line) for line in lines)
    characters: list[str] = []
    sources: list[tuple[int, int]] = []
    for number, line in enumerate(composed):
        for place, character in enumerate(line):
            if character.isspace():
                continue
            for one in _SAME.get(character, character):
                if one == TSHEG and characters and characters[-1] == TSHEG:
                    continue
                characters.append(one)
                sources.append((number, place))
    return Normalised("".join(characters), composed, tuple(sources))
