"""Character error rates of readings, and the greedy reading that training watches."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def normalised(text: str, *, fold_tsheg: bool = False) -> str:
    """Return a text as it is scored: NFC, no white space, one kind of shad and tsheg, one tsheg in a row.

    Args:
        fold_tsheg: also drop a tsheg before a shad, which transcripts set or leave out by habit.
    """
    text = "".join(unicodedata.normalize("NFC", text).split())
    for old, new in (("༎", "།།"), ("༌", "་"), ("༑", "།"), ("༔", "།")):
        text = text.replace(old, new)
    while "་་" in text:
        text = text.replace("་་", "་")
    return text.replace("་།", "།") if fold_tsheg else text


def distance(one: str, other: str) -> int:
    """Return the edit distance between two texts."""
    if len(one) < len(other):
        one, other = other, one
    codes = np.array([ord(char) for char in other], np.int64)
    row = np.arange(len(other) + 1)
    steps = np.arange(len(other) + 1)
    for number, char in enumerate(one, 1):
        change = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(char)))
        best = np.concatenate(([number], change))
        # Insertions along the row: the running minimum of the distance to a straight run of them.
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])


def error_rate(pairs: Iterable[tuple[str, str]], *, fold_tsheg: bool = False) -> float:
    """Return edits over characters of the truth, summed over pairs of truth and reading."""
    edits = length = 0
    for truth, reading in pairs:
        wanted = normalised(truth, fold_tsheg=fold_tsheg)
        edits += distance(wanted, normalised(reading, fold_tsheg=fold_tsheg))
        length += len(wanted)
    return edits / max(length, 1)


def collapsed(best: npt.NDArray[np.int64], alphabet: str) -> str:
    """Return the text of a best path: repeats once, blanks (0) dropped."""
    kept = best[(best != 0) & (best != np.concatenate(([0], best[:-1])))]
    return "".join(alphabet[index - 1] for index in kept)
