"""Edit distances of a page, and error rates over pages.

A rate is a sum of edits over a sum of lengths of the truth (micro average): pages weigh as much as they
hold. Where the truth holds nothing there is no rate; what was read there all the same counts as edits of
the sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen
from rapidfuzz.distance import Levenshtein

from bec_ocreval.scoring.normal import normalised
from bec_ocreval.scoring.syllables import syllables


@frozen
class Edits:
    """How many edits lead from a reading to the truth, and how long the truth is; in characters or in syllables."""

    edits: int = 0
    length: int = 0

    @property
    def rate(self) -> float | None:
        """Edits over the truth's length; may be over 1; None where the truth holds nothing."""
        return self.edits / self.length if self.length else None


@frozen
class PageScore:
    """A page against its truth."""

    characters: Edits
    syllables: Edits


def score(truth: Sequence[str], reading: Sequence[str]) -> PageScore:
    """Compare a page's lines with its true ones; both in reading order."""
    true_text, text = normalised(truth).text, normalised(reading).text
    true_syllables = syllables(truth)
    return PageScore(
        Edits(Levenshtein.distance(true_text, text), len(true_text)),
        Edits(Levenshtein.distance(true_syllables, syllables(reading)), len(true_syllables)),
    )


def total(parts: Iterable[Edits]) -> Edits:
    """The sum over pages."""
    edits = length = 0
    for part in parts:
        edits += part.edits
        length += part.length
    return Edits(edits, length)
