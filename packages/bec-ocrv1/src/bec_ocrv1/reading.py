"""What an engine is given and what it gives: the protocol between lines' images and their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from attrs import frozen

GreyLine = npt.NDArray[np.uint8]
"""One cut line: height × width, paper light, ink dark."""


@frozen
class Reading:
    """A line's text (Unicode, NFC) and the confidence of a character of it on average, 0 to 1."""

    text: str
    confidence: float


class Recogniser(Protocol):
    """An engine that reads lines; called by several threads at once."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def sha256(self) -> str:
        """Of what it was loaded from."""
        ...

    @property
    def arithmetic(self) -> str:
        """What it calculates in."""
        ...

    def read(self, lines: Sequence[GreyLine]) -> list[Reading]:
        """The lines' texts, in their order."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...
