"""A rate from pairs of amounts, and how sure it is: what estimates and plans are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen

LEAST_PAIRS = 3
"""With fewer nothing can be said of how much they differ."""

# Student's t, two-sided 95 %, by degrees of freedom; beyond the last it is taken for the normal distribution's.
_T95 = (
    12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10,
    2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04,
)  # fmt: skip
_NORMAL95 = 1.96


@frozen
class Ratio:
    """``value``, and ``margin``: in 95 of 100 cases it lies no further off; None: too few pairs to tell."""

    value: float
    margin: float | None


def t95(freedom: int) -> float:
    """How many standard errors a mean may lie off in 95 of 100 cases."""
    return _T95[freedom - 1] if 1 <= freedom <= len(_T95) else _NORMAL95


def ratio(pairs: Sequence[tuple[float, float]]) -> Ratio | None:
    """What there was of the first for each of the second: the sums' ratio; None if there is none of either.

    Its margin is the jackknife's: how much the ratio changes as each pair is left out, times Student's t.
    """
    used = [(amount, per) for amount, per in pairs if per > 0]
    total, base = sum(amount for amount, _ in used), sum(per for _, per in used)
    if total <= 0 or base <= 0:
        return None
    value, n = total / base, len(used)
    if n < LEAST_PAIRS:
        return Ratio(value, None)
    without = [(total - amount) / (base - per) for amount, per in used]
    mean = sum(without) / n
    error = math.sqrt((n - 1) / n * sum((one - mean) ** 2 for one in without))
    return Ratio(value, t95(n - 1) * error)
