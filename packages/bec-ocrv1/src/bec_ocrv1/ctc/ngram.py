"""A language model of characters: n-grams with back-off, as an automaton of contexts.

A state is a context (the last characters, at most order − 1). Its arcs are the characters seen after it, with their
log probabilities; any other character falls back to the context without its first character, at the price of the
state's back-off. That is the usual form of such models (ARPA's), and quick to walk.
"""

from __future__ import annotations

import io
import zipfile
from typing import IO

import attrs
import numpy as np
import numpy.typing as npt

from bec_ocrv1.ctc.compiled import compiled

Ints = npt.NDArray[np.int32]
Reals = npt.NDArray[np.float32]

UNKNOWN = -1
"""The number of a character that the model doesn't know."""
_GRAIN = 1000.0  # log probabilities are stored in thousandths
_UNKNOWN_SCORE = np.float32(-16.0)


@attrs.frozen(eq=False)
class LanguageModel:
    """Scores characters after characters.

    Attributes:
        characters: what it knows, in the order of its numbers.
        first: for each state, where its arcs begin; one more entry than states. State 0 is the empty context, whose
            arcs are all characters.
        symbols, scores, targets: for each arc its character, log probability, and the state after it.
        fallback, price: for each state the shorter context, and the log weight of falling back to it.
    """

    characters: str
    first: Ints
    symbols: Ints
    scores: Reals
    targets: Ints
    fallback: Ints
    price: Reals

    def number(self, character: str) -> int:
        """Return a character's number, or `UNKNOWN`."""
        return self.characters.find(character) if character else UNKNOWN

    def step(self, state: int, number: int) -> tuple[float, int]:
        """Return the log probability of a character (by number) after a state, and the state after it."""
        score, target = walk(
            self.first, self.symbols, self.scores, self.targets, self.fallback, self.price, state, number
        )
        return float(score), int(target)

    def score(self, text: str) -> float:
        """Return the log probability of a text (natural logarithm), each character after those before it."""
        total, state = 0.0, 0
        for character in text:
            gain, state = self.step(state, self.number(character))
            total += gain
        return total

    def save(self, file: IO[bytes]) -> None:
        """Write the model compactly: what can be worked out from the rest is left out."""
        arrays = {
            "counts": np.diff(self.first).astype(np.uint8),
            "symbols": self.symbols.astype(np.uint8),
            "scores": np.clip(np.rint(-self.scores * _GRAIN), 0, 65535).astype(np.uint16),
            "price": np.clip(np.rint(-self.price * _GRAIN), -32768, 32767).astype(np.int16),
            "makes": _makers(self.targets),
            "characters": np.frombuffer(self.characters.encode("utf-32-le"), np.uint32),
        }
        with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
            for name, array in arrays.items():
                buffer = io.BytesIO()
                np.save(buffer, array)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), buffer.getvalue(), 14)

    @classmethod
    def load(cls, file: IO[bytes]) -> LanguageModel:
        """Read what `save` wrote."""
        with zipfile.ZipFile(file) as archive:
            parts = {name[:-4]: np.load(io.BytesIO(archive.read(name))) for name in archive.namelist()}
        characters = parts["characters"].tobytes().decode("utf-32-le")
        first = np.concatenate(([0], np.cumsum(parts["counts"].astype(np.int64)))).astype(np.int32)
        return assembled(
            characters,
            first,
            parts["symbols"].astype(np.int32),
            (parts["scores"] / -_GRAIN).astype(np.float32),
            np.unpackbits(parts["makes"])[: len(parts["symbols"])].astype(bool),
            (parts["price"] / -_GRAIN).astype(np.float32),
        )


def _makers(targets: Ints) -> npt.NDArray[np.uint8]:
    """Return, a bit an arc, whether its target is the context one character longer, not one fallen back to.

    States are numbered in the order of the arcs that make them, so that a maker's target is above all before.
    """
    highest = np.maximum.accumulate(np.concatenate((np.zeros(1, np.int32), targets[:-1])))
    return np.packbits(targets > highest)


def assembled(
    characters: str,
    first: Ints,
    symbols: Ints,
    scores: Reals,
    makes: npt.NDArray[np.bool_],
    price: Reals,
) -> LanguageModel:
    """Return a model from its states in order of breadth.

    Args:
        characters: the known characters.
        first, symbols, scores: each state's arcs, those of a state in order of their characters.
        makes: arcs whose target is the context one character longer; these states are numbered from 1 in the
            order of their arcs.
        price: each state's back-off.
    """
    targets, fallback = _linked(first, symbols, makes)
    return LanguageModel(characters, first, symbols, scores, targets, fallback, price)


@compiled
def _linked(first, symbols, makes):  # type: ignore[no-untyped-def]
    """Work out each arc's target and each state's shorter context, breadth first."""
    states = first.size - 1
    targets = np.zeros(symbols.size, np.int32)
    fallback = np.zeros(states, np.int32)
    following = 1
    for state in range(states):
        for arc in range(first[state], first[state + 1]):
            # The state after this character from the shorter context is known: it is less deep, or at the root.
            shorter = 0
            if state != 0:
                at = fallback[state]
                while True:
                    low, high = first[at], first[at + 1]
                    while low < high:
                        middle = (low + high) // 2
                        if symbols[middle] < symbols[arc]:
                            low = middle + 1
                        else:
                            high = middle
                    if low < first[at + 1] and symbols[low] == symbols[arc]:
                        shorter = targets[low]
                        break
                    if at == 0:
                        break
                    at = fallback[at]
            if makes[arc]:
                targets[arc] = following
                fallback[following] = shorter
                following += 1
            else:
                targets[arc] = shorter
    return targets, fallback


@compiled
def walk(first, symbols, scores, targets, fallback, price, state, number):  # type: ignore[no-untyped-def]
    """Return a character's log probability after a state, and the state after it."""
    if number < 0:
        return _UNKNOWN_SCORE, np.int32(0)
    total = np.float32(0.0)
    while True:
        low, high = first[state], first[state + 1]
        while low < high:
            middle = (low + high) // 2
            if symbols[middle] < number:
                low = middle + 1
            else:
                high = middle
        if low < first[state + 1] and symbols[low] == number:
            return total + scores[low], targets[low]
        if state == 0:
            return total + _UNKNOWN_SCORE, np.int32(0)
        total += price[state]
        state = fallback[state]
