"""What every engine gives: the reading of a line, and the engine's interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

GreyLine = npt.NDArray[np.uint8]
"""A line's image as it was cut from its page: height × width, grey, paper light."""


@attrs.frozen
class Reading:
    """What a line says.

    Attributes:
        text: Unicode, NFC.
        confidence: from 0 to 1, what an engine thinks of its reading. Engines that decode CTC give the probability
            of the whole reading as the geometric mean per character (the end of the line counting as one), so that
            long lines are not worse than short ones; it ranks readings of one engine, and is not calibrated.
    """

    text: str
    confidence: float


class Recogniser(Protocol):
    """An engine that reads lines; several threads may call it at once."""

    @property
    def name(self) -> str:
        """What it is called in records."""
        ...

    @property
    def sha256(self) -> str:
        """Of the weights that it reads with."""
        ...

    @property
    def arithmetic(self) -> str:
        """What it computes in ("float32", "int8"): results may differ in the last digit with it."""
        ...

    def read(self, lines: Sequence[GreyLine]) -> list[Reading]:
        """Return the lines' readings, in their order."""
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...
