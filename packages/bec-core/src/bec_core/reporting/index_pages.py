"""The page that lists a report's volumes, in pieces that a browser can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from attrs import frozen

Row = TypeVar("Row")

ROWS = 1_000
"""So many volumes stand on one page."""


@frozen
class IndexPage(Generic[Row]):
    """A part of the list: its file's name, its rows, and links to the other parts (HTML; empty if it is alone)."""

    name: str
    rows: Sequence[Row]
    links: str


def index_pages(ranked: Sequence[Row]) -> list[IndexPage[Row]]:
    """The list in pages; the first is ``index.html``, and there is one even without rows."""
    starts = range(0, max(1, len(ranked)), ROWS)
    return [
        IndexPage(_name(start), ranked[start : start + ROWS], _links(start, starts, len(ranked)))
        for start in starts
    ]


def _name(start: int) -> str:
    return f"volumes-{start // ROWS + 1}.html" if start else "index.html"


def _links(here: int, starts: Sequence[int], total: int) -> str:
    if len(starts) == 1:
        return ""
    parts = []
    for start in starts:
        span = f"{start + 1:,}–{min(start + ROWS, total):,}"
        parts.append(f"<strong>{span}</strong>" if start == here else f'<a href="{_name(start)}">{span}</a>')
    return f'<nav class="parts" aria-label="Parts of the list"><p>Volumes {" · ".join(parts)}</p></nav>'
