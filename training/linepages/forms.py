"""Layouts in Latin letters: intro forms and catalogue records, with Tibetan entries or without, and forewords."""

from __future__ import annotations

import attrs
import numpy as np

from linepages import marks
from linepages.fonts import latin_family
from linepages.ink import Pen, Sheet, write_line
from linepages.text import Token, latin_word
from linepages.writing import Style, fill_line, make_style


@attrs.frozen
class Print:
    """What a form is printed in: pens for its text, its labels and its headings, and the distance of its lines."""

    text: Pen
    label: Pen
    heading: Pen
    pitch: float


def make_print(rng: np.random.Generator, body: float) -> Print:
    """Choose cuts of one typeface (sometimes of two) for small letters `body` pixels high."""
    family = latin_family(rng)
    other = latin_family(rng) if rng.random() < 0.3 else family
    cut = [int(rng.integers(len(family))), int(rng.integers(len(other))), int(rng.integers(len(other)))]
    # Most texts are set upright; only labels and headings are often bold or slanted.
    text = family[0 if rng.random() < 0.75 else cut[0]]
    return Print(
        Pen(text, body),
        Pen(other[cut[1]], body * float(rng.choice([1.0, 1.0, 0.85]))),
        Pen(other[cut[2]], body * float(rng.uniform(1.0, 1.9))),
        body * float(rng.uniform(2.2, 3.4)),
    )


def write_latin(
    sheet: Sheet, pen: Pen, words: list[str], x: float, y: float, x1: float, rng: np.random.Generator
) -> float:
    """Write words on the baseline `y` from `x`, at most to `x1`, as a decoy; return where they end."""
    tokens = [Token(text=f"{word} ") for word in words]
    stop, points = write_line(sheet.marks, pen, tokens, x, x1, lambda _: y, rng)
    if points:
        sheet.decoys.append((x, y - 1.5 * pen.body, stop, y + 0.5 * pen.body))
    return stop


def _words(rng: np.random.Generator, count: int) -> list[str]:
    return [latin_word(rng) for _ in range(count)]


def _centred(
    sheet: Sheet, pen: Pen, words: list[str], middle: float, y: float, width: float, rng: np.random.Generator
) -> None:
    """Write words around `middle`, at most `width` wide."""
    length = sum(pen.piece(f"{word} ").advance for word in words)
    start = middle - min(length, width) / 2
    write_latin(sheet, pen, words, start, y, start + width, rng)


def _paragraph(
    sheet: Sheet, style: Print, box: marks.Box, rng: np.random.Generator, lines: int, indent: float = 0.0
) -> float:
    """Set `lines` lines of text from the first baseline `box[1]`, the last one shorter; return the next baseline."""
    x0, y, x1, y1 = box
    for row in range(lines):
        if y > y1:
            break
        room = x1 - x0 - indent
        end = x0 + indent + (room if row < lines - 1 else room * float(rng.uniform(0.15, 1)))
        count = int(room / style.text.body / 2) + 3
        write_latin(sheet, style.text, _words(rng, count), x0 + indent, y, end, rng)
        y, indent = y + style.pitch, 0.0
    return y


def _tibetan_entry(
    sheet: Sheet, style: Style, x: float, top: float, x1: float, rng: np.random.Generator, opening: bool
) -> float:
    """Write a short Tibetan line below `top`; return the level below its descenders."""
    level = top - style.pen.body_top + float(rng.uniform(0.5, 1.0)) * style.pen.body
    width = min(style.pen.body * float(np.exp(rng.uniform(np.log(3), np.log(40)))), x1 - x)
    fill_line(sheet, style, x, x + width, level, rng, opening)
    return level + style.pen.body_bottom + float(rng.uniform(0.3, 1.0)) * style.pen.body


def form(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay an intro sheet: labels and their entries, in a table or not; Tibetan entries (which are lines) among them."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    left, right = x0 + float(rng.uniform(0.04, 0.12)) * width, x1 - float(rng.uniform(0.05, 0.2)) * width
    bottom = y1 - float(rng.uniform(0.04, 0.4)) * height
    sheet.born_digital = bool(rng.random() < 0.6)
    style = make_print(rng, max(float(rng.uniform(0.0042, 0.011)) * height, 3.5 * unit))
    body = style.text.body
    tibetan = rng.random() < 0.7
    entries = make_style(
        rng, body * float(rng.uniform(2.8, 6)), umeh=bool(rng.random() < 0.05), print_only=True
    )
    y = y0 + float(rng.uniform(0.02, 0.15)) * height
    y = _heads(sheet, style, entries if tibetan and rng.random() < 0.75 else None, (left, y, right, y1), rng)
    column = left + float(rng.uniform(0.15, 0.4)) * (right - left)
    ruled = rng.random() < 0.5
    pad = body * float(rng.uniform(0.2, 1.5))
    while y < bottom:
        begin = y
        first = y + pad + 1.6 * body
        write_latin(sheet, style.label, _words(rng, int(rng.integers(1, 4))), left + pad, first, column, rng)
        y += pad
        if tibetan and rng.random() < 0.3:
            for _ in range(int(rng.choice([1, 1, 1, 2]))):
                y = _tibetan_entry(
                    sheet, entries, column + pad, y, right - pad, rng, bool(rng.random() < 0.1)
                )
            y += float(rng.choice([0.0, 0.5, 3.0])) * body
        if y == begin + pad or rng.random() < 0.85:
            rows = int(rng.choice([1, 2, 3, 7], p=[0.7, 0.15, 0.1, 0.05]))
            area = (column + pad, y + 1.6 * body, right - pad, bottom)
            if rows == 1:
                write_latin(sheet, style.text, _words(rng, int(rng.choice([1, 2, 4, 8]))), *area[:3], rng)
                y += 1.6 * body
            else:
                y = _paragraph(sheet, style, area, rng, rows) - style.pitch
        y += pad + 0.4 * body
        if ruled:
            _table_row(sheet, (left, begin, right, y), column, unit, rng)
        elif rng.random() < 0.3:
            y += float(rng.uniform(0, 4)) * body


def _heads(
    sheet: Sheet, style: Print, tibetan: Style | None, box: marks.Box, rng: np.random.Generator
) -> float:
    """Set a form's heading: a Tibetan name above its translation, and the form's title; return the level below."""
    left, y, right, _ = box
    middle = (left + right) / 2 if rng.random() < 0.7 else left + 0.25 * (right - left)
    body = style.heading.body
    if tibetan is not None:
        span = tibetan.pen.body * float(rng.uniform(8, 30))
        start = max(middle - span / 2, left)
        y = _tibetan_entry(sheet, tibetan, start, y, min(start + span, right), rng, bool(rng.random() < 0.7))
    for _ in range(int(rng.integers(0, 3))):
        y += body * float(rng.uniform(1.6, 3.5))
        _centred(sheet, style.heading, _words(rng, int(rng.integers(2, 7))), middle, y, right - left, rng)
    return y + body * float(rng.uniform(1, 4))


def _table_row(sheet: Sheet, box: marks.Box, column: float, unit: float, rng: np.random.Generator) -> None:
    """Rule the borders of a table's row, and that between its two columns."""
    x0, y0, x1, y1 = box
    thick = max(round(float(rng.choice([1.0, 1.0, 2.0])) * unit), 1)
    for x in (x0, column, x1):
        marks.rule(sheet.marks, (x, y0), (x, y1), thick, 255)
    for y in (y0, y1):
        marks.rule(sheet.marks, (x0, y), (x1, y), thick, 255)


def foreword(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a page of Latin text: headings, paragraphs, a page number; rarely a Tibetan line, which is one."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    left, right = x0 + float(rng.uniform(0.06, 0.2)) * width, x1 - float(rng.uniform(0.06, 0.2)) * width
    sheet.born_digital = bool(rng.random() < 0.4)
    style = make_print(rng, max(float(rng.uniform(0.005, 0.014)) * height, 3.5 * unit))
    body = style.text.body
    entries = make_style(rng, body * float(rng.uniform(3.2, 6)), umeh=False, print_only=True)
    y = _heads(
        sheet,
        style,
        entries if rng.random() < 0.2 else None,
        (left, y0 + float(rng.uniform(0.04, 0.3)) * height, right, y1),
        rng,
    )
    bottom = y1 - float(rng.uniform(0.05, 0.5)) * height
    while y < bottom:
        if rng.random() < 0.12:
            y = _tibetan_entry(sheet, entries, left, y, right, rng, False) + 1.6 * body
        lines = int(rng.integers(1, 12))
        indent = float(rng.choice([0.0, 3.0])) * body
        y = _paragraph(sheet, style, (left, y, right, bottom), rng, lines, indent)
        y += float(rng.choice([0.0, 0.5, 1.5])) * style.pitch
    if rng.random() < 0.6:
        _centred(
            sheet, style.text, [str(int(rng.integers(1, 400)))], (left + right) / 2, y1 - 3 * body, width, rng
        )
