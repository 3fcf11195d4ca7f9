"""What was read instead of what: the most frequent edits, in characters and in syllables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from attrs import frozen
from rapidfuzz.distance import Levenshtein

from bec_ocreval.scoring.normal import normalised
from bec_ocreval.scoring.syllables import syllables

Tally = Counter[tuple[str, str]]
"""How often what was read instead of what: ``(truth, reading)``.

One of the two is empty where a unit is missing or too much.
"""


@frozen
class Confusion:
    """One kind of edit: ``truth`` was read as ``reading``; empty is nothing."""

    truth: str
    reading: str
    count: int


def character_confusions(truth: Sequence[str], reading: Sequence[str]) -> Tally:
    """The edits of a page in normalised characters."""
    return _tally(normalised(truth).text, normalised(reading).text)


def syllable_confusions(truth: Sequence[str], reading: Sequence[str]) -> Tally:
    """The edits of a page in syllables."""
    return _tally(syllables(truth), syllables(reading))


def most_frequent(tally: Tally, most: int) -> tuple[Confusion, ...]:
    """The ``most`` frequent ones; of equal ones in the order of their characters."""
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))[:most]
    return tuple(Confusion(truth, reading, count) for (truth, reading), count in ranked)


def _tally(truth: Sequence[str], reading: Sequence[str]) -> Tally:
    found = Tally()
    hashable: tuple[Sequence[Hashable], Sequence[Hashable]] = (truth, reading)
    for edit in Levenshtein.editops(*hashable):
        if edit.tag == "replace":
            found[truth[edit.src_pos], reading[edit.dest_pos]] += 1
        elif edit.tag == "delete":
            found[truth[edit.src_pos], ""] += 1
        else:
            found["", reading[edit.dest_pos]] += 1
    return found
