"""Whether what a page's function returns can be kept: it becomes bytes and a value again, and is the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any, TypeVar

import attrs

from bec_core.pages.values import PageValues

R = TypeVar("R")


class CheckedValues(PageValues[R]):
    """Takes every value there and back; what does not come back as it was is noted in ``problems``."""

    def __init__(self, returns: type[R], problems: list[str]) -> None:
        super().__init__(returns)
        self._problems = problems

    def check(self, value: object, where: str) -> R:
        """The value, as it came back."""
        checked = super().check(value, where)
        try:
            back = self.from_bytes(self.to_bytes(checked))
        except Exception as error:  # noqa: BLE001 - whatever the class makes of it is what is to be reported
            self._note(f"can't be kept: {type(error).__name__}: {error}")
            return checked
        if where_not := different(checked, back, self.returns.__name__):
            self._note(f"comes back as another one: {where_not}")
        return back

    def _note(self, what: str) -> None:
        problem = (
            f"what map_pages' function returns {what}; give each field of {self.returns.__name__} its exact type"
            " (numbers, strings, bytes, dates, enums, attrs classes, lists, mappings and arrays of those)"
        )
        if problem not in self._problems:
            self._problems.append(problem)


def different(one: Any, other: Any, path: str) -> str:
    """Where two values differ, in words; empty if they are the same. Lists and tuples count as the same."""
    if attrs.has(type(one)):
        if type(one) is not type(other):
            return f"{path} is a {type(other).__name__}, not a {type(one).__name__}"
        pairs = [
            (getattr(one, a.name), getattr(other, a.name), f"{path}.{a.name}")
            for a in attrs.fields(type(one))
        ]
        return _first(pairs)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if list(one) != list(other):
            return f"{path} has other keys"
        return _first([(one[key], other[key], f"{path}[{key!r}]") for key in one])
    if _is_list(one) and _is_list(other):
        if len(one) != len(other):
            return f"{path} has {len(other)} entries, not {len(one)}"
        return _first([(a, b, f"{path}[{n}]") for n, (a, b) in enumerate(zip(one, other, strict=True))])
    return "" if _equal(one, other) else f"{path} is {other!r:.60}, not {one!r:.60}"


def _first(pairs: list[tuple[Any, Any, str]]) -> str:
    return next((found for a, b, where in pairs if (found := different(a, b, where))), "")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def _equal(one: Any, other: Any) -> bool:
    if hasattr(one, "dtype") and hasattr(one, "shape"):
        if getattr(one, "shape", None) == ():  # a number of numpy's comes back as Python's
            return _equal(one.item(), other)
        kinds = [(getattr(a, "dtype", None), getattr(a, "shape", None)) for a in (one, other)]
        return kinds[0] == kinds[1] and one.tobytes() == other.tobytes()
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, Set) and isinstance(other, Set):
        return one == other
    return type(one) is type(other) and bool(one == other)
