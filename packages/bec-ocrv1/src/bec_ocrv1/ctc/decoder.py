"""From a network's scores to a text."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from bec_ocrv1.ctc.beam import search
from bec_ocrv1.ctc.ngram import UNKNOWN, LanguageModel

Scores = npt.NDArray[np.float32]

FLOOR = -7.0
"""Log probability below which a class doesn't extend a reading in a frame."""
MARGIN = 14.0
"""How much worse (log) than the best a reading may be to stay in the beam."""
_NO_MODEL = LanguageModel(
    characters="",
    first=np.zeros(2, np.int32),
    symbols=np.zeros(0, np.int32),
    scores=np.zeros(0, np.float32),
    targets=np.zeros(0, np.int32),
    fallback=np.zeros(1, np.int32),
    price=np.zeros(1, np.float32),
)


@attrs.frozen
class Decoded:
    """A decoded line.

    Attributes:
        text: the classes' strings, joined.
        confidence: the reading's probability by the network alone, as the geometric mean per class (the end counting
            as one): of its best path when decoded greedily, of all paths in the beam.
    """

    text: str
    confidence: float


def log_chances(logits: npt.NDArray[np.floating]) -> Scores:
    """Return log probabilities, time × classes, of logits (log probabilities stay what they are)."""
    values = np.asarray(logits, np.float32)
    values = values - values.max(axis=1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)), np.float32)


@attrs.frozen(eq=False)
class Decoder:
    """Decodes the output of one network.

    Attributes:
        classes: what each class spells, in order; the blank's entry counts for nothing. A class may be several
            characters (a stack), or none.
        blank: the blank's class.
        beam: readings kept by the beam; 1 decodes greedily, without the language model.
        model: the language model, over characters; None: the beam only sums the paths of a reading.
        weight: of the language model's log probability against the network's.
        bonus: added for each character, against the model's liking for short readings.
    """

    classes: Sequence[str]
    blank: int = 0
    beam: int = 1
    model: LanguageModel | None = None
    weight: float = 0.3
    bonus: float = 0.5
    _spelling: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.blank < len(self.classes):
            raise ValueError(f"the blank's class {self.blank} is none of the {len(self.classes)} classes")
        if self.beam < 1:
            raise ValueError("a beam keeps at least one reading")
        object.__setattr__(self, "_spelling", self._spell())

    def _spell(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """What classes are spelt by, in the language model's numbers: where each begins, and all in a row."""
        spelt, spelling = [0], list[int]()
        for number, text in enumerate(self.classes):
            if number != self.blank:
                spelling += [self.model.number(char) if self.model else UNKNOWN for char in text]
            spelt.append(len(spelling))
        return np.array(spelt, np.int32), np.array(spelling, np.int32)

    def decode(self, logits: npt.NDArray[np.floating]) -> Decoded:
        """Return the text of one line's logits or log probabilities, time × classes.

        Raises:
            ValueError: the array has another number of classes.
        """
        if logits.ndim != 2 or logits.shape[1] != len(self.classes):
            raise ValueError(f"scores of shape {logits.shape} don't fit {len(self.classes)} classes")
        if not len(logits):
            return Decoded("", 0.0)
        chances = log_chances(logits)
        kinds, total = self._greedy(chances) if self.beam == 1 else self._search(chances)
        text = "".join(self.classes[kind] for kind in kinds.tolist())
        return Decoded(text, float(np.exp(min(total, 0.0) / (len(kinds) + 1))))

    def _greedy(self, chances: Scores) -> tuple[npt.NDArray[np.int32], float]:
        best = chances.argmax(axis=1).astype(np.int32)
        total = float(chances.max(axis=1).sum())
        changed = np.concatenate(([True], best[1:] != best[:-1]))
        return best[changed & (best != self.blank)], total

    def _search(self, chances: Scores) -> tuple[npt.NDArray[np.int32], float]:
        model = self.model or _NO_MODEL
        spelt, spelling = self._spelling
        kinds, total = search(
            np.ascontiguousarray(chances),
            self.blank,
            self.beam,
            np.float32(FLOOR),
            np.float32(MARGIN),
            model.first,
            model.symbols,
            model.scores,
            model.targets,
            model.fallback,
            model.price,
            spelt,
            spelling,
            np.float32(self.weight if self.model else 0.0),
            np.float32(self.bonus if self.model else 0.0),
        )
        return kinds, float(total)
