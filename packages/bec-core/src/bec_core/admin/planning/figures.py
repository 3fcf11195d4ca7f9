"""A figure of a plan: its value, how it is known, and from what."""

from __future__ import annotations

import math
from enum import StrEnum

from attrs import frozen


class Basis(StrEnum):
    """How a figure is known, the surest first."""

    MEASURED = "measured"
    EXTRAPOLATED = "extrapolated"
    ASSUMED = "assumed"


@frozen
class Figure:
    """A value with how it is known and from what; ``margin``: how far off it may be (95 %), None: nobody can tell."""

    value: float
    basis: Basis
    why: str
    margin: float | None = None

    @property
    def relative(self) -> float | None:
        """The margin as a share of the value."""
        return None if self.margin is None or not self.value else self.margin / self.value


def least_sure(*bases: Basis) -> Basis:
    """What a figure is that is made of others: no surer than the least sure of them."""
    order = list(Basis)
    return max(bases, key=order.index)


def product(why: str, *factors: Figure, times: float = 1.0) -> Figure:
    """The product of figures, and of a number that is known; errors that nobody knows are left out."""
    value = times * math.prod(one.value for one in factors)
    known = [one.relative for one in factors if one.relative is not None]
    margin = abs(value) * math.hypot(*known) if known else None
    return Figure(value, least_sure(*(one.basis for one in factors)), why, margin)


def total(why: str, parts: list[Figure]) -> Figure:
    """The sum of figures, whose errors are taken to go together."""
    margins = [one.margin for one in parts if one.margin is not None]
    return Figure(
        sum(one.value for one in parts),
        least_sure(*(one.basis for one in parts)),
        why,
        sum(margins) if margins else None,
    )
