"""What speaks for an error on a page: each piece from 0 (nothing) to 1 (as much as there can be), with a sentence.

A measure counts by how far it is beyond what is usual in the volume: `ramp` says from where on and up to where.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs

from bec_ldv1.record.layout import Layout
from bec_ldv1.record.usual import PageFacts, Typical

_SMALL = 0.01  # added to shares before they are compared, so that next to nothing equals nothing


USUALLY_SURE = 0.92
"""The least sure line's confidence on a usual page, where the volume doesn't tell."""


@attrs.frozen
class Evidence:
    """One piece: its name in the table of weights, its strength from 0 to 1, and what it says."""

    name: str
    strength: float
    sentence: str


def ramp(value: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high`` on, even in between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def evidence(page: PageFacts, usual: Typical, unit: str = "line") -> list[Evidence]:
    """All pieces of a page with lines that have any strength; ``unit`` is what the sentences count."""
    pieces = [*_from_map(page, usual, unit), *_from_volume(page, usual, unit)]
    if page.layout is not None:
        pieces += _from_layout(page.layout, usual, unit)
    return [piece for piece in pieces if piece.strength > 0]


def _from_map(page: PageFacts, usual: Typical, unit: str) -> Iterator[Evidence]:
    """What detection saw beside the lines, and how sure it was."""
    if page.unread_share is not None:
        beyond = page.unread_share - min(usual.unread_share or 0.0, 0.5)
        yield Evidence(
            "unread",
            ramp(beyond, 0.03, 0.4),
            f"{page.unread_share:.0%} of what looks like letters is in no {unit}",
        )
    if page.unread_rows is not None:
        rows = f"{page.unread_rows} row{'s' if page.unread_rows > 1 else ''} of what looks like writing"
        yield Evidence(
            "rows",
            ramp(page.unread_rows - (usual.unread_rows or 0.0), 0, 3),
            f"{rows} {'are' if page.unread_rows > 1 else 'is'} in no {unit}",
        )
    if page.unread_tails is not None:
        yield Evidence(
            "tail",
            ramp(page.unread_tails - (usual.unread_tails or 0.0), 0, 1),
            f"something like a last syllable stands below the last {unit}",
        )
    if page.doubt is not None:
        yield Evidence(
            "doubt",
            ramp(page.doubt - (usual.doubt or 0.0), 0.01, 0.15),
            "the network was undecided about this page",
        )
    if page.confidence is not None:
        least = USUALLY_SURE if usual.confidence is None else usual.confidence
        yield Evidence(
            "confidence", ramp(least - page.confidence, 0.01, 0.12), f"one {unit} is less sure than usual"
        )


def _from_volume(page: PageFacts, usual: Typical, unit: str) -> Iterator[Evidence]:
    """How the page differs from the others as a whole."""
    if usual.lines is not None:
        away = abs(page.lines - usual.lines) / usual.spread
        units = unit if page.lines == 1 else f"{unit}s"
        yield Evidence(
            "count", ramp(away, 0, 4), f"{page.lines} {units}, where {usual.lines:g} are usual around it"
        )
    if page.coverage is not None and usual.coverage is not None:
        other = abs(math.log((page.coverage + _SMALL) / (usual.coverage + _SMALL)))
        yield Evidence(
            "coverage",
            ramp(other, 0.08, 0.8),
            f"the {unit}s cover {page.coverage:.0%} of the page, where {usual.coverage:.0%} is usual",
        )
    side = "counter-clockwise" if page.rotation > 0 else "clockwise"
    yield Evidence(
        "rotation", ramp(abs(page.rotation), 1, 4), f"the page was turned {abs(page.rotation):.1f}° {side}"
    )


def _from_layout(layout: Layout, usual: Typical, unit: str) -> Iterator[Evidence]:
    """How irregular the lines are."""
    if usual.height:
        size = layout.height / usual.height
        yield Evidence(
            "height",
            ramp(abs(math.log(max(size, 1e-3))), 0.08, 0.6),
            f"the {unit}s are {'higher' if size > 1 else 'lower'} than usual",
        )
    yield Evidence(
        "gap",
        ramp(layout.gap - max(1.25, usual.gap or 0.0), 0.05, 0.8),
        f"between two {unit}s there is room for another one",
    )
    yield Evidence(
        "closest",
        ramp(min(0.85, 1.0 if usual.closest is None else usual.closest) - layout.closest, 0.03, 0.4),
        f"two {unit}s lie too near to each other",
    )
    yield Evidence(
        "uneven",
        ramp(layout.uneven - (usual.uneven or 0.0), 0.03, 0.5),
        f"one {unit} is much higher or lower than the others",
    )
    yield Evidence(
        "short",
        ramp(min(0.97, 1.0 if usual.shortest is None else usual.shortest) - layout.shortest, 0.02, 0.5),
        f"one {unit} is much shorter than the others",
    )
    yield Evidence(
        "beside",
        ramp(layout.beside - (usual.beside or 0.0), 0, 2),
        f"some {unit}s have another one beside them, as the halves of one would",
    )
