"""The report's HTML: templates filled with escaped text.

Whatever comes from a volume (names, texts, messages) goes through :func:`text`; the pages' Content-
Security-Policy allows no script and nothing from the network.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from bec_ocreval.figures import percent
from bec_ocreval.report.pieces import Mark, Pieces

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def text(value: object) -> str:
    """Any value as text inside an element or a quoted attribute.

    Half surrogates, control characters and those that turn the direction of text become question marks.
    """
    plain = str(value).encode("utf-8", "replace").decode()
    return escape("".join("?" if _is_control(character) else character for character in plain))


def _is_control(character: str) -> bool:
    return character in _CONTROLS or (unicodedata.category(character) == "Cc" and character not in "\t\n")


def document(template: str, **fields: str) -> str:
    """The asset ``template`` with its fields and the style sheet filled in; every field is HTML."""
    values = {**fields, "policy": _POLICY, "style": _asset("report.css")}
    return Template(_asset(template)).substitute(values)


def save(path: Path, html: str) -> None:
    """Write a page."""
    path.write_text(html, encoding="utf-8", errors="replace")


def cell(share: float | None, kind: str = "", *, of: str = "") -> str:
    """A table's cell with a share; ``of`` says on a phone, where the table has no head, what it is."""
    unknown = " unknown" if share is None else ""
    return f'<td class="number {kind}{unknown}"{_named(of)}>{percent(share)}</td>'


def count_cell(value: int, kind: str = "", *, of: str = "") -> str:
    """A table's cell with a whole number; ``of`` as for :func:`cell`."""
    return f'<td class="number {kind}{"" if value else " zero"}"{_named(of)}>{value:,}</td>'


def _named(of: str) -> str:
    return f' data-of="{text(of)}"' if of else ""


def stats(figures: Iterable[tuple[str, str, str]]) -> str:
    """Large figures in a row: each a class, a label and the figure."""
    return "".join(
        f'<div class="{kind}"><dt>{text(label)}</dt><dd>{text(value)}</dd></div>'
        for kind, label, value in figures
    )


def pieces(content: Pieces) -> str:
    """Text in its colours."""
    return "".join(
        text(piece.text)
        if piece.mark is Mark.SAME
        else f'<span class="{piece.mark}">{text(piece.text)}</span>'
        for piece in content
    )


def texts_table(heads: Sequence[str], rows: Iterable[Sequence[Pieces]]) -> str:
    """Texts side by side; rows in which nobody has anything are left out."""
    head = "".join(f"<th>{text(name)}</th>" for name in heads)
    cells = ("".join(f'<td lang="bo">{pieces(side)}</td>' for side in row) for row in rows if any(row))
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f'<table class="texts"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


@cache
def _asset(name: str) -> str:
    """A file of the package's ``assets`` folder."""
    return (files("bec_ocreval.report") / "assets" / name).read_text(encoding="utf-8")
