"""What can be said of a reading without ground truth: its spelling, foreign characters, what is said over and over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from attrs import frozen

from bec_ocreval.scoring.syllables import syllables
from bec_ocreval.spelling.check import Kind, kind

_LONGEST_CYCLE = 8  # syllables
_TIMES = 4
_SHORTEST_RUN = 8  # syllables: shorter ones are found in good text (ha ha ha ha)
_SAME_CHARACTERS = 6
_CHARACTER_RUN = re.compile(rf"([^\s་།༎༔.…·_\-=—])\1{{{_SAME_CHARACTERS - 1},}}")
_SAME_LINES = 3


@frozen
class Signs:
    """What a page's reading looks like.

    Attributes:
        characters: all that are not white space.
        foreign: those of them outside Unicode's Tibetan block.
        syllables: how many there are of each kind.
        repeated: what comes over and over as in no text; None where nothing does.
    """

    characters: int
    foreign: int
    syllables: dict[Kind, int]
    repeated: str | None


def look(lines: Sequence[str]) -> Signs:
    """The signs of a page's reading."""
    characters = [character for line in lines for character in line if not character.isspace()]
    found = syllables(lines)
    return Signs(
        characters=len(characters),
        foreign=sum(not "\u0f00" <= character <= "\u0fff" for character in characters),
        syllables=dict(Counter(map(kind, found))),
        repeated=repetition(lines, found),
    )


def repetition(lines: Sequence[str], found: Sequence[str]) -> str | None:
    """What is read over and over: a character, some syllables, or a line; ``found`` are the lines' syllables.

    A recogniser that has lost its place repeats itself; so do verses and mantras, which is why it takes a
    whole line read three times running, eight syllables or more in at least four equal pieces, or the same
    character six times.
    """
    for line in lines:
        if run := _CHARACTER_RUN.search(line):
            return f"“{run[1]}” {len(run[0])} times"
    for cycle in range(1, _LONGEST_CYCLE + 1):
        if times := _cycle(found, cycle):
            start, count = times
            return f"“{'་'.join(found[start : start + cycle])}” {count} times"
    texts = ["".join(line.split()) for line in lines]
    for first, same in enumerate(zip(*(texts[shift:] for shift in range(_SAME_LINES)), strict=False)):
        if len(set(same)) == 1 and len(syllables(same[:1])) >= _TIMES:
            return f"line {first + 1} {_SAME_LINES} times"
    return None


def _cycle(found: Sequence[str], length: int) -> tuple[int, int] | None:
    """Where pieces of so many syllables follow each other unchanged often enough, and how often."""
    run = 0  # syllables that equal the one a piece before
    for place in range(length, len(found)):
        run = run + 1 if found[place] == found[place - length] else 0
        whole = run + length
        ends = place + 1 == len(found) or found[place + 1] != found[place + 1 - length]
        if ends and whole >= max(_SHORTEST_RUN, _TIMES * length):
            return place + 1 - whole, whole // length
    return None
