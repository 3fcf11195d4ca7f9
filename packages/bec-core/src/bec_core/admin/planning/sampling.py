"""A sample of volumes, and what it says of all."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from typing import TypeVar

from bec_core.admin.planning.figures import Basis, Figure
from bec_core.admin.ratios import LEAST_PAIRS, t95

T = TypeVar("T")

_SEED = 20  # the same list gives the same sample: a plan that is made again can be compared


def choose(items: Sequence[T], size: int) -> list[T]:
    """Up to ``size`` of the items, by chance, in their order; the same ones for the same list."""
    if size >= len(items):
        return list(items)
    return [items[n] for n in sorted(random.Random(_SEED).sample(range(len(items)), size))]


def total_of(counts: Sequence[int], population: int, *, known: int = 0) -> Figure | None:
    """The pages of ``population`` volumes of which these were looked at, besides the ``known`` pages of others.

    None: there are volumes, but none could be looked at.
    """
    if not population:
        return Figure(known, Basis.MEASURED, "as the ledger knows")
    if not counts:
        return None
    if len(counts) >= population:
        return Figure(known + sum(counts), Basis.MEASURED, f"{len(counts):,} volumes looked at")
    mean, n = statistics.mean(counts), len(counts)
    margin = None
    if n >= LEAST_PAIRS:
        spread = statistics.stdev(counts) * math.sqrt((1 - n / population) / n)
        margin = population * t95(n - 1) * spread
    why = f"{mean:,.0f} a volume in {n:,} looked at, of {population:,}"
    return Figure(known + population * mean, Basis.EXTRAPOLATED, why, margin)
