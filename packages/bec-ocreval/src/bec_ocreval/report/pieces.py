"""Texts in coloured pieces: a reading beside its truth, or one reading by itself.

What is compared is normalised, what is shown is what stands there, with its spaces. A mark is never
narrower than a letter with its signs: a browser can't colour half of a stack.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import groupby

from attrs import frozen
from rapidfuzz.distance import Levenshtein

from bec_ocreval.scoring.normal import Normalised, normalised
from bec_ocreval.scoring.syllables import BOUNDARIES
from bec_ocreval.spelling.check import Kind, kind


class Mark(StrEnum):
    """What is special about a piece of text; also its class in the style sheet."""

    SAME = "same"
    WRONG = "wrong"  # one was read for another
    MISSING = "missing"  # in the truth alone
    EXTRA = "extra"  # in the reading alone
    BREAK = "break"  # the reading's line ends where the truth's doesn't
    ODD = "odd"  # not spelt by the rules
    FOREIGN = "foreign"


@frozen
class Piece:
    """Some text that is shown in one colour."""

    text: str
    mark: Mark = Mark.SAME


Pieces = tuple[Piece, ...]


@frozen
class Row:
    """A line of the truth and what was read of it."""

    truth: Pieces
    reading: Pieces


LINE_END = "⏎"

_SEVERITY = [Mark.SAME, Mark.WRONG, Mark.EXTRA, Mark.MISSING]
_SYLLABLE = re.compile(rf"[^\s{BOUNDARIES}]+")


@frozen
class _Letter:
    """A character as it is shown, and the truth's line that it belongs to."""

    text: str
    mark: Mark
    line: int


def beside(truth: Sequence[str], reading: Sequence[str]) -> tuple[Row, ...]:
    """A row for each line of the truth with what was read of it, differences marked on both sides.

    If the truth has no line there is one row, with all that was read.
    """
    true, read = normalised(truth), normalised(reading)
    true_marks, read_marks = [Mark.SAME] * len(true.text), [Mark.SAME] * len(read.text)
    lines = [0] * len(read.text)
    for block in Levenshtein.opcodes(true.text, read.text):
        paired = {"equal": Mark.SAME, "replace": Mark.WRONG}.get(block.tag)
        for place in range(block.src_start, block.src_end):
            true_marks[place] = paired or Mark.MISSING
        for offset, place in enumerate(range(block.dest_start, block.dest_end)):
            read_marks[place] = paired or Mark.EXTRA
            # What is too much hangs on what is before it.
            like = block.src_start + offset if paired else block.src_start - 1
            lines[place] = true.sources[max(0, like)][0] if true.sources else 0
    of_truth = _letters(true, true_marks)
    of_reading = _with_line_ends(read, _letters(read, read_marks, lines))
    count = max(1, len(truth))
    left, right = _by_line(_flat(of_truth), count), _by_line(of_reading, count)
    return tuple(
        Row(_pieces(letters), _pieces(_without_outer_ends(others)))
        for letters, others in zip(left, right, strict=True)
    )


def alone(line: str) -> Pieces:
    """A line of a reading that has no truth: syllables against the rules of spelling and foreign ones are marked."""
    composed = unicodedata.normalize("NFC", line)
    pieces, end = [], 0
    marks = {Kind.ILL_FORMED: Mark.ODD, Kind.FOREIGN: Mark.FOREIGN}
    for found in _SYLLABLE.finditer(composed):
        mark = marks.get(kind(found[0]))
        if mark is not None:
            pieces += [Piece(composed[end : found.start()]), Piece(found[0], mark)]
            end = found.end()
    pieces.append(Piece(composed[end:]))
    return tuple(piece for piece in pieces if piece.text)


def _letters(
    text: Normalised, marks: Sequence[Mark], lines: Sequence[int] | None = None
) -> list[list[_Letter]]:
    """The characters of each of a text's lines; ``lines`` says to which of the truth each compared one belongs.

    What normalising dropped goes with the character before it.
    """
    found: dict[tuple[int, int], tuple[Mark, int]] = {}
    of_lines = [line for line, _ in text.sources] if lines is None else lines
    for source, mark, line in zip(text.sources, marks, of_lines, strict=True):
        if source in found:  # ༎ is two shads, of which one may be wrong
            mark = max(found[source][0], mark, key=_SEVERITY.index)
        found[source] = (mark, line)
    letters, at = [], 0
    for number, content in enumerate(text.lines):
        row = []
        at = number if lines is None else at
        for place, character in enumerate(content):
            mark, at = found.get((number, place), (Mark.SAME, at))
            row.append(_Letter(character, mark, at))
        letters.append(row)
    return letters


def _by_line(letters: Iterable[_Letter], count: int) -> list[list[_Letter]]:
    """The characters that belong to each of the truth's lines."""
    lines: list[list[_Letter]] = [[] for _ in range(count)]
    for letter in letters:
        lines[letter.line].append(letter)
    return lines


def _flat(rows: Iterable[Iterable[_Letter]]) -> list[_Letter]:
    return [letter for row in rows for letter in row]


def _with_line_ends(text: Normalised, rows: Sequence[Sequence[_Letter]]) -> list[_Letter]:
    """All characters of a reading with a sign where its lines end."""
    letters: list[_Letter] = []
    for row in rows:
        letters += row
        if row:
            letters.append(_Letter(LINE_END, Mark.BREAK, row[-1].line))
    return letters


def _without_outer_ends(letters: Sequence[_Letter]) -> Sequence[_Letter]:
    """A line end at the end of the truth's line is no news."""
    first, last = 0, len(letters)
    while first < last and letters[first].mark is Mark.BREAK:
        first += 1
    while last > first and letters[last - 1].mark is Mark.BREAK:
        last -= 1
    return letters[first:last]


def _pieces(letters: Iterable[_Letter]) -> Pieces:
    """Characters of one mark joined; a letter and its signs have the gravest of their marks."""
    clusters: list[tuple[str, Mark]] = []
    for letter in letters:
        text, mark = clusters[-1] if clusters else ("", Mark.BREAK)
        if mark is not Mark.BREAK and unicodedata.category(letter.text)[0] == "M":
            clusters[-1] = (text + letter.text, mark if mark is not Mark.SAME else letter.mark)
        else:
            clusters.append((letter.text, letter.mark))
    return tuple(
        Piece("".join(text for text, _ in group), mark)
        for mark, group in groupby(clusters, key=lambda cluster: cluster[1])
    )
