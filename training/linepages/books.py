"""Layouts of modern books, and of the pages that have no lines at all."""

from __future__ import annotations

import cv2
import numpy as np

from linepages import labels, marks, pictures
from linepages.ink import Pen, Sheet, stamp
from linepages.layouts import leaf
from linepages.writing import Style, fill_line, last_share, make_style, text_block


def book_page(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a modern page into `box`: 5–44 lines, headings, paragraphs, running head, page number, footnotes."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    left, right = x0 + float(rng.uniform(0.06, 0.16)) * width, x1 - float(rng.uniform(0.06, 0.16)) * width
    top, bottom = y0 + float(rng.uniform(0.07, 0.16)) * height, y1 - float(rng.uniform(0.06, 0.16)) * height
    count = int(rng.integers(5, 35) if rng.random() < 0.8 else rng.integers(30, 45))
    pitch = min((bottom - top) / count, 0.075 * height)
    style = make_style(rng, pitch, umeh=bool(rng.random() < 0.12), print_only=bool(rng.random() < 0.9))
    if rng.random() < 0.5:
        _running_head(sheet, style, (left, top - 1.6 * pitch, right, top), rng, unit)
    _page_number(sheet, style, (left, bottom + 0.4 * pitch, right, y1), rng)
    filled = count if rng.random() < 0.75 else int(rng.integers(1, count + 1))
    _paragraphs(sheet, style, (left, top, right, bottom), filled, rng)
    if rng.random() < 0.1:
        pictures.picture(sheet, (left, top - 0.04 * height, right, top - 0.01 * height), rng, unit)
    if rng.random() < 0.15:
        marks.frame(sheet, (left - pitch, top - pitch, right + pitch, bottom + pitch), rng, unit)


def _paragraphs(sheet: Sheet, style: Style, box: marks.Box, count: int, rng: np.random.Generator) -> None:
    """Set lines as running text: indents, short last lines, centred headings, gaps for pictures."""
    left, top, right, _ = box
    pitch, span = style.pitch, right - left
    heading = rng.random() < 0.35
    verse = rng.random() < 0.15
    row, left_in_paragraph = 0, int(rng.integers(2, 15))
    indent = 0.0
    picture_at = int(rng.integers(2, max(count, 3))) if rng.random() < 0.08 else -1
    while row < count:
        level = top + row * pitch + 0.5 * (pitch - style.pen.body) - style.pen.body_top
        if row == picture_at:
            rows = int(rng.integers(3, 8))
            pictures.picture(sheet, (left, top + row * pitch, right, top + (row + rows) * pitch), rng, 1.0)
            row += rows
            picture_at = -1
            continue
        if heading and rng.random() < 0.08:
            wide = span * float(rng.uniform(0.2, 0.6))
            start = left + (span - wide) * float(rng.choice([0.0, 0.5]))
            fill_line(sheet, style, start, start + wide, level, rng)
        elif verse:
            inset = span * 0.12
            fill_line(sheet, style, left + inset, right - inset, level, rng, share=float(rng.uniform(0.6, 1)))
        elif left_in_paragraph == 0:
            share = last_share(rng, (right - left - indent) / style.pen.body)
            fill_line(sheet, style, left + indent, right, level, rng, share=share)
            left_in_paragraph = int(rng.integers(1, 15))
            indent = float(rng.choice([0.0, 2.5])) * style.pen.body
            row += 1
            continue
        else:
            fill_line(sheet, style, left + indent, right, level, rng)
            left_in_paragraph -= 1
        indent = 0.0
        row += 1


def _running_head(sheet: Sheet, style: Style, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Set a running head in small letters, often over a rule."""
    x0, y0, x1, y1 = box
    pen = Pen(style.pen.face, max(style.pen.body * float(rng.uniform(0.6, 0.85)), 4.0))
    start = x0 + float(rng.choice([0.0, 0.25, 0.55])) * (x1 - x0)
    labels.small_note(sheet, pen, start, y0 + pen.body, 0.4 * (x1 - x0), rng)
    if rng.random() < 0.7:
        y = round(y1 - 0.35 * style.pitch)
        cv2.line(
            sheet.marks, (round(x0), y), (round(x1), y), 255, max(round(float(rng.uniform(0.7, 2)) * unit), 1)
        )


def _page_number(sheet: Sheet, style: Style, box: marks.Box, rng: np.random.Generator) -> None:
    """Set a page number below the text."""
    x0, y0, x1, _ = box
    strip = labels.number(rng, style.pen.body * float(rng.uniform(0.5, 0.9)))
    stamp(sheet.marks, strip, x0 + float(rng.choice([0.0, 0.5, 0.95])) * (x1 - x0 - strip.shape[1]), y0)


def stacked_leaves(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay two to four leaves below one another, as several are scanned on one sheet."""
    x0, y0, x1, y1 = box
    count = int(rng.integers(2, 5))
    each = (y1 - y0) / count
    for row in range(count):
        leaf(sheet, (x0, y0 + row * each, x1, y0 + (row + 0.93) * each), rng, unit)


def spread(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay two book pages side by side."""
    x0, y0, x1, y1 = box
    middle = (x0 + x1) / 2
    book_page(sheet, (x0, y0, middle, y1), rng, unit)
    book_page(sheet, (middle, y0, x1, y1), rng, unit)
    if rng.random() < 0.5:
        cv2.line(
            sheet.marks, (round(middle), round(y0)), (round(middle), round(y1)), 255, max(round(3 * unit), 1)
        )


def empty_frame(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a ruled or framed leaf that nobody has written on."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    inset = (float(rng.uniform(0.03, 0.2)) * width, float(rng.uniform(0.05, 0.3)) * height)
    inner = (x0 + inset[0], y0 + inset[1], x1 - inset[0], y1 - inset[1])
    for _ in range(int(rng.integers(1, 4))):
        marks.frame(sheet, inner, rng, unit)
        more = float(rng.uniform(5, 40)) * unit
        inner = (inner[0] + more, inner[1] + more, inner[2] - more, inner[3] - more)
        if inner[2] - inner[0] < 50 or inner[3] - inner[1] < 20:
            return
    if rng.random() < 0.4:
        rules = int(rng.integers(2, 9))
        dark = int(rng.integers(80, 256))
        for row in range(rules):
            y = round(inner[1] + (row + 0.5) * (inner[3] - inner[1]) / rules)
            cv2.line(sheet.marks, (round(inner[0]), y), (round(inner[2]), y), dark, max(round(unit), 1))
    if rng.random() < 0.3:
        pictures.picture(sheet, (inner[0], inner[1], inner[0] + (inner[3] - inner[1]), inner[3]), rng, unit)
    if rng.random() < 0.35:
        pictures.smudges(sheet, box, rng, unit, int(rng.integers(1, 5)))
    if rng.random() < 0.25:
        tall = float(rng.uniform(8, 40)) * unit
        for edge in (inner[1], inner[3] - tall)[: int(rng.integers(1, 3))]:
            pictures.ornament_row(sheet, (inner[0], edge, inner[2], edge + tall), rng, unit)


def labelled_blank(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a cover without text: at most a number, a seal, some Latin, some scribbles."""
    x0, y0, x1, y1 = box
    marks.scribbles(sheet, rng, unit, int(rng.integers(0, 12)))
    if rng.random() < 0.5:
        pictures.smudges(sheet, box, rng, unit, int(rng.integers(1, 7)))
    for _ in range(int(rng.integers(0, 3))):
        strip = labels.number(rng, float(rng.uniform(8, 40)) * unit)
        stamp(sheet.marks, strip, rng.uniform(x0, x1), rng.uniform(y0, y1))
    if rng.random() < 0.3:
        labels.seal(
            sheet, (rng.uniform(x0, x1), rng.uniform(y0, y1)), float(rng.uniform(20, 70)) * unit, rng, unit
        )
    if rng.random() < 0.3:
        strip = labels.latin(rng, float(rng.uniform(8, 16)) * unit, int(rng.integers(2, 9)), 0.5 * (x1 - x0))
        stamp(sheet.marks, strip, rng.uniform(x0, x1 - strip.shape[1]), rng.uniform(y0, y1))


def handwritten_page(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a portrait page written by hand, lines crowding each other."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    block = (x0 + 0.08 * width, y0 + 0.06 * height, x1 - 0.08 * width, y1 - 0.06 * height)
    count = int(rng.integers(6, 26))
    style = make_style(rng, (block[3] - block[1]) / count, umeh=bool(rng.random() < 0.7))
    text_block(sheet, style, block, count, rng, opening=bool(rng.random() < 0.3))
    marks.scribbles(sheet, rng, unit, int(rng.integers(0, 3)))
