"""One-to-one matching of detected lines with true ones.

Both rules say yes or no for a pair; the matching is a largest set of pairs in which no line occurs twice:
maximum bipartite matching by augmenting paths (C. Berge, "Two theorems in graph theory", PNAS 43, 1957: a
matching without an augmenting path is a largest one). Better pairs are tried first, so that of equally
large matchings a good one results.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CENTRE_SHARE = 0.7
"""Share of each centre line that must run inside the other's region for two lines to match."""

IOU_SHARE = 0.5
"""Smallest intersection over union for two lines to match by area."""


def match_one_to_one(allowed: NDArray[np.bool_], quality: NDArray[np.float64]) -> list[tuple[int, int]]:
    """A largest one-to-one matching of rows with columns among the ``allowed`` pairs (both rows×columns).

    Pairs of higher ``quality`` are preferred where the size of the matching leaves a choice to the
    search's order. Returns (row, column) pairs in row order.
    """
    rows = allowed.shape[0]
    candidates = [
        [int(c) for c in np.argsort(-quality[r], kind="stable") if allowed[r, c]] for r in range(rows)
    ]
    row_of: dict[int, int] = {}

    def augment(start: int, seen: set[int]) -> bool:
        for column in candidates[start]:
            if column in seen:
                continue
            seen.add(column)
            if column not in row_of or augment(row_of[column], seen):
                row_of[column] = start
                return True
        return False

    best = [max((quality[r, c] for c in candidates[r]), default=0.0) for r in range(rows)]
    for row in sorted(range(rows), key=lambda r: -best[r]):
        augment(row, set())
    return sorted((row, column) for column, row in row_of.items())
