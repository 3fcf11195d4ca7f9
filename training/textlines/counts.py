"""The language model's counts: character n-grams of a plain text, smoothed after Witten and Bell, pruned."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from bec_ocrv1.ctc import LanguageModel
from bec_ocrv1.ctc.ngram import assembled

Keys = npt.NDArray[np.int64]
_BASE = 256
"""An n-gram is a number in this base, its first character foremost."""


@attrs.frozen(eq=False)
class Level:
    """The n-grams of one length that are kept, sorted, with their probabilities; and back-offs of shorter contexts."""

    keys: Keys
    chances: npt.NDArray[np.float64]
    contexts: Keys
    backoffs: npt.NDArray[np.float64]


def grams(symbols: npt.NDArray[np.int64], length: int) -> tuple[Keys, npt.NDArray[np.int64]]:
    """Return the distinct n-grams of a length, sorted, and how often each occurs."""
    if len(symbols) < length:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys = np.zeros(len(symbols) - length + 1, np.int64)
    for offset in range(length):
        keys = keys * _BASE + symbols[offset : offset + len(keys)]
    found, counts = np.unique(keys, return_counts=True)
    return found, counts


def count(text: str, characters: str, least: tuple[int, ...] = (1, 1, 1, 1, 2, 3)) -> LanguageModel:
    """Return the model of a text.

    Args:
        text: without what is no character of the model (white space).
        characters: what the model knows; others in the text end an n-gram's run and are dropped.
        least: for each length from 1 on how often an n-gram must occur to be kept; not falling.
    """
    number = {char: index for index, char in enumerate(characters)}
    symbols = np.array([number[char] for char in text if char in number], np.int64)
    once = np.bincount(symbols, minlength=len(characters)) + 1.0
    levels = [Level(np.arange(len(characters)), once / once.sum(), np.zeros(0, np.int64), np.zeros(0))]
    for length in range(2, len(least) + 1):
        levels.append(_level(symbols, length, least[length - 1], levels))
    return _automaton(characters, levels)


def _level(symbols: npt.NDArray[np.int64], length: int, least: int, shorter: list[Level]) -> Level:
    keys, counts = grams(symbols, length)
    heads = keys // _BASE
    contexts, where = np.unique(heads, return_inverse=True)
    total = np.bincount(where, counts)
    kinds = np.bincount(where)
    below = _chances(keys % _BASE ** (length - 1), length - 1, shorter)
    chances = (counts + kinds[where] * below) / (total + kinds)[where]
    kept = counts >= least
    keys, chances, below, where = keys[kept], chances[kept], below[kept], where[kept]
    used = np.bincount(where, chances, minlength=len(contexts))
    covered = np.bincount(where, below, minlength=len(contexts))
    some = np.bincount(where, minlength=len(contexts)) > 0
    backoffs = np.maximum(1 - used, 1e-9) / np.maximum(1 - covered, 1e-9)
    return Level(keys, chances, contexts[some], backoffs[some])


def _chances(keys: Keys, length: int, levels: list[Level]) -> npt.NDArray[np.float64]:
    """Return the probabilities of n-grams' last characters after the others, by the levels that are there."""
    level = levels[length - 1]
    at, found = _places(level.keys, keys)
    out = np.zeros(len(keys))
    out[found] = level.chances[at[found]]
    lost = ~found
    if lost.any():
        missing = keys[lost]
        where, known = _places(level.contexts, missing // _BASE)
        price = np.ones(len(missing))
        price[known] = level.backoffs[where[known]]
        out[lost] = price * _chances(missing % _BASE ** (length - 1), length - 1, levels)
    return out


def _places(table: Keys, keys: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return where keys are in a sorted table, and whether they are."""
    if not len(table):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
    at = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return at, table[at] == keys


def _automaton(characters: str, levels: list[Level]) -> LanguageModel:
    """Return the levels as states and arcs, breadth first."""
    states: Keys = np.zeros(1, np.int64)
    backoffs = np.zeros(1)
    sizes, symbols, scores, makes, price = [], [], [], [], [backoffs]
    for depth, level in enumerate(levels):
        owner = level.keys // _BASE if depth else np.zeros(len(level.keys), np.int64)
        sizes.append(np.bincount(np.searchsorted(states, owner), minlength=len(states)))
        symbols.append(level.keys % _BASE)
        scores.append(np.log(level.chances))
        deeper = levels[depth + 1].contexts if depth + 1 < len(levels) else np.zeros(0, np.int64)
        makes.append(_places(deeper, level.keys)[1])
        states = deeper
        if len(deeper):
            price.append(np.log(levels[depth + 1].backoffs))
    first = np.concatenate(([0], np.cumsum(np.concatenate(sizes)))).astype(np.int32)
    return assembled(
        characters,
        first,
        np.concatenate(symbols).astype(np.int32),
        np.concatenate(scores).astype(np.float32),
        np.concatenate(makes),
        np.concatenate(price).astype(np.float32),
    )
