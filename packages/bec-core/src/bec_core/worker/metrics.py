"""The figures that a job gives of a volume, checked against what its type declares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import SupportsFloat

from bec_core.job import Metric

_EXACT = 2.0**53


class Metrics:
    """One task's figures. The latest value of a name counts."""

    def __init__(self, declared: Sequence[Metric]) -> None:
        self._declared = {metric.name: metric for metric in declared}
        self._values: dict[str, float] = {}

    def give(self, values: Mapping[str, object]) -> None:
        """Take figures.

        Raises:
            ValueError: naming everything that is not declared or no finite number.
        """
        problems: list[str] = []
        numbers: dict[str, float] = {}
        for name, value in values.items():
            number = _number(value)
            if name not in self._declared:
                known = ", ".join(self._declared) or "none"
                problems.append(f"{name} is not declared in the job type's metrics (declared: {known})")
            elif number is None:
                problems.append(f"{name}={value!r:.50} is no finite number")
            else:
                numbers[name] = number
        if problems:
            raise ValueError("metrics: " + "; ".join(problems))
        self._values.update(numbers)

    @property
    def values(self) -> Mapping[str, float]:
        """All figures."""
        return dict(self._values)

    def check(self) -> None:
        """See that they are complete, at the task's end.

        Raises:
            ValueError: one is weighed by another that was not given, or is negative.
        """
        for name in self._values:
            weight = self._declared[name].weight
            if weight is not None and not self._values.get(weight, -1) >= 0:
                given = self._values.get(weight)
                why = "was not given" if given is None else f"is {given:g}"
                raise ValueError(f"metrics: {name} is weighed by {weight}, which {why}")


def _number(value: object) -> float | None:
    """A finite number of Python's or numpy's as JSON can say it."""
    if isinstance(value, bool) or not isinstance(value, SupportsFloat) or isinstance(value, (str, bytes)):
        return None
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < _EXACT else number
