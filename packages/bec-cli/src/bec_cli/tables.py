"""Tables on a terminal and in a pipe, written row by row.

On a terminal a table is as wide as that: sentences are folded first, then the padding goes, then names and ids are
shortened in the middle, with a sign; figures and states never. Where even that is too wide, each row becomes a
block of lines.
In a pipe nothing is folded or shortened, whatever its length. The first rows decide how wide the columns are, and
are printed before the last ones are known.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import click

from bec_cli.printing import echo
from bec_core.settings import terminal_colours
from bec_core.text import shortened, shown, shown_line

Column = str | tuple[str, str]
"""A column of a table: its heading, or heading and ``left`` / ``right``. What stands right are figures."""

_SENTENCES = frozenset(
    {
        "Message",
        "Title",
        "Meaning",
        "Why",
        "Detail",
        "Example",
        "Allowed",
        "Summary",
        "Jobs",
        "Config",
        "--repair",
    }
)
_PEEKED = 200  # rows that decide the widths
_SENTENCE = 12  # a column of sentences is not folded any narrower
_LINES = 3  # nor is one of its cells longer; all of it: in a pipe, or as JSON
_NAME = 9  # an id is not shortened any further
_SIGN = "…"

_STATES = frozenset({"Status", "State", "Verdict"})
_STYLES = {
    **dict.fromkeys(("done", "active", "alive", "success", "good", "passed", "ok"), "green"),
    **dict.fromkeys(("running", "working"), "cyan"),
    **dict.fromkeys(("retryable_failed", "blocked", "held", "paused", "stale", "idle", "handed"), "yellow"),
    **dict.fromkeys(("terminal_failed", "failed", "dead", "cancelled", "bad"), "red"),
}


def print_table(title: str | None, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on stdout, each row as soon as it comes."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    for line in lines_of(title, columns, rows, width=width, colour=terminal and terminal_colours()):
        echo(line, colour=True)  # no escape of a colour is in it unless one is wanted


def lines_of(
    title: str | None,
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    *,
    width: int | None,
    colour: bool = False,
) -> Iterator[str]:
    """A table's lines.

    Args:
        title: stands above it.
        columns: at least one.
        rows: a value for each column; None is shown as ``-``.
        width: cells of the terminal; None: there is none, and every value stays whole.
        colour: whether states are coloured.
    """
    headings = [column if isinstance(column, str) else column[0] for column in columns]
    right = [not isinstance(column, str) and column[1] == "right" for column in columns]
    fit = [shown_line if heading in _SENTENCES else shown for heading in headings]
    texts = (
        ["-" if value is None else made(str(value)) for made, value in zip(fit, row, strict=True)]
        for row in rows
    )
    first = list(islice(texts, _PEEKED))
    widths = [
        max(_width(line) for row in [headings, *first] for line in row[number].split("\n"))
        for number in range(len(columns))
    ]
    layout = _Layout.fitting(headings, right, widths, width)
    if title is not None:
        yield title if layout is None else title.center(layout.width).rstrip()
    every = chain(first, texts)
    if layout is None:
        yield from _blocks(headings, every, width or 0, colour=colour)
        return
    yield layout.rule("┏━┳┓")
    yield from layout.row(headings, "┃", heading=True)
    yield layout.rule("┡━╇┩")
    for row in every:
        yield from layout.row(row, "│", colour=colour)
    yield layout.rule("└─┴┘")


class _Layout:
    """How wide each column is, and how its cells are made to fit.

    Args:
        headings: of the columns.
        right: which of them stand right.
        widths: cells of each, without padding.
        padding: spaces on both sides of each.
        bound: whether a cell must not be wider than its column.
    """

    def __init__(
        self,
        headings: Sequence[str],
        right: Sequence[bool],
        widths: Sequence[int],
        padding: int,
        *,
        bound: bool,
    ) -> None:
        self._headings, self._right, self._widths, self._bound = headings, right, widths, bound
        self._pad = " " * padding
        self.width = _taken(widths, padding)

    @classmethod
    def fitting(
        cls, headings: Sequence[str], right: Sequence[bool], widths: Sequence[int], room: int | None
    ) -> _Layout | None:
        """The layout that makes the best of the room; None if there is none."""
        if room is None:
            return cls(headings, right, widths, 1, bound=False)
        sentences = [heading in _SENTENCES for heading in headings]
        names = [
            not (stands or folds or heading in _STATES)
            for stands, folds, heading in zip(right, sentences, headings, strict=True)
        ]
        folded = _narrowed(widths, sentences, _SENTENCE, room, 1)
        tight = _narrowed(widths, sentences, _SENTENCE, room, 0)
        short = _narrowed(tight, names, _NAME, room, 0)
        for made, padding in ((folded, 1), (tight, 0), (short, 0)):
            if _taken(made, padding) <= room:
                return cls(headings, right, made, padding, bound=True)
        return None

    def rule(self, signs: str) -> str:
        """A line between rows; its four signs stand at its beginning, along cells, between them, at its end."""
        pad = 2 * len(self._pad)
        return signs[0] + signs[2].join(signs[1] * (width + pad) for width in self._widths) + signs[3]

    def row(
        self, values: Sequence[str], bar: str, *, heading: bool = False, colour: bool = False
    ) -> Iterator[str]:
        """The lines of a row."""
        cells = [self._cell(number, value, heading=heading) for number, value in enumerate(values)]
        styles = [
            _style(name, value) if colour else None
            for name, value in zip(self._headings, values, strict=True)
        ]
        for number in range(max(len(lines) for lines in cells)):
            shown_cells = (
                self._placed(column, lines[number] if number < len(lines) else "", styles[column])
                for column, lines in enumerate(cells)
            )
            yield bar + bar.join(shown_cells) + bar

    def _cell(self, column: int, value: str, *, heading: bool) -> list[str]:
        lines = value.split("\n")
        width = self._widths[column]
        if not self._bound or all(_width(line) <= width for line in lines):
            return lines
        if not heading and (self._right[column] or self._headings[column] in _STATES):
            return (
                lines  # a figure, or a word, wider than those of the first rows: whole, though it sticks out
            )
        if self._headings[column] in _SENTENCES and not heading:
            return _folded(value, width)
        return [shortened(line, width, _width) for line in lines]

    def _placed(self, column: int, text: str, style: str | None) -> str:
        fill = " " * max(0, self._widths[column] - _width(text))
        painted = click.style(text, fg=style) if style and text else text
        return self._pad + (fill + painted if self._right[column] else painted + fill) + self._pad


def _folded(text: str, width: int) -> list[str]:
    lines = textwrap.wrap(text, width, max_lines=_LINES, placeholder=f" {_SIGN}", break_on_hyphens=False)
    return [shortened(line, width, _width) for line in lines] or [""]


def _narrowed(widths: Sequence[int], may: Sequence[bool], least: int, room: int, padding: int) -> list[int]:
    """The widths, with those that may be narrower cut to one measure so that all fit; none is cut below the least."""
    made = [min(width, room) if narrows else width for narrows, width in zip(may, widths, strict=True)]
    while _taken(made, padding) > room:
        wide = [number for number, narrows in enumerate(may) if narrows and made[number] > least]
        if not wide:
            break
        made[max(wide, key=made.__getitem__)] -= 1
    return made


def _taken(widths: Sequence[int], padding: int) -> int:
    return sum(widths) + 2 * padding * len(widths) + len(widths) + 1


def _blocks(
    headings: Sequence[str], rows: Iterable[Sequence[str]], width: int, *, colour: bool
) -> Iterator[str]:
    """Each row as lines of heading and value, with an empty line between two rows."""
    for number, row in enumerate(rows):
        if number:
            yield ""
        for heading, value in zip(headings, row, strict=True):
            text = shown_line(value)
            if heading in _SENTENCES:
                yield from textwrap.wrap(f"{heading}: {text}", width, subsequent_indent="  ")
                continue
            text = shortened(text, max(_NAME, width - len(heading) - 2), _width)
            style = _style(heading, text) if colour else None
            yield f"{heading}: {click.style(text, fg=style) if style else text}"


def _style(heading: str, value: str) -> str | None:
    return _STYLES.get(value.split(" ", 1)[0]) if heading in _STATES else None


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # here: most tables are of ASCII

    return cell_len(text)
