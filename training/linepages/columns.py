"""Layouts in columns: what stands side by side is two lines, however narrow the gutter."""

from __future__ import annotations

import attrs
import cv2
import numpy as np

from linepages import labels, marks
from linepages.ink import Pen, Sheet
from linepages.text import TextStream, vocabulary
from linepages.writing import Style, fill_line, make_style


def column_page(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a page of two or three columns, 10 to 36 lines each, into `box`."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    inset = float(rng.uniform(0.04, 0.12)) * width, float(rng.uniform(0.05, 0.15)) * height
    text = (x0 + inset[0], y0 + inset[1], x1 - inset[0], y1 - inset[1])
    rows = int(rng.integers(10, 37))
    count = 3 if rows > 16 and rng.random() < 0.3 else 2
    umeh = bool(rng.random() < 0.25)
    style = make_style(rng, (text[3] - text[1]) / rows, umeh, print_only=bool(rng.random() < 0.7))
    _columns(sheet, text, style, rows, count, rng, unit)


def column_leaf(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a leaf much wider than high, with two to four columns of text or of verses, into `box`."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    inset = float(rng.uniform(0.02, 0.1)) * width, float(rng.uniform(0.05, 0.2)) * height
    text = (x0 + inset[0], y0 + inset[1], x1 - inset[0], y1 - inset[1])
    rows = int(rng.integers(4, 12))
    style = make_style(rng, (text[3] - text[1]) / rows, umeh=bool(rng.random() < 0.4))
    count = int(rng.choice([2, 3, 4], p=[0.7, 0.2, 0.1]))
    _columns(sheet, text, style, rows, count, rng, unit)
    if rng.random() < 0.4:
        pad = float(rng.uniform(0.3, 1.5)) * style.pen.body
        marks.frame(sheet, (text[0] - pad, text[1], text[2] + pad, text[3]), rng, unit)


def _columns(
    sheet: Sheet,
    text: marks.Box,
    style: Style,
    rows: int,
    count: int,
    rng: np.random.Generator,
    unit: float,
) -> None:
    """Fill `count` columns with `rows` lines; the gutters between them are paper that weighs more."""
    x0, y0, x1, y1 = text
    pitch, body = style.pitch, style.pen.body
    gutter = float(rng.choice([rng.uniform(0.8, 1.6), rng.uniform(1.6, 3.2)], p=[0.6, 0.4])) * pitch
    # Between columns as close as that no phrase ends with a gap as wide, or nobody could tell them.
    gap = min(float(rng.uniform(0.3, 1.2)), 0.3 * gutter / body)
    style = attrs.evolve(style, stream=TextStream(rng, vocabulary(rng, 70), gap=gap), small=None)
    wide = (x1 - x0 - (count - 1) * gutter) / count
    verses = rng.random() < 0.3
    ruled = rng.random() < 0.2
    shift = float(rng.uniform(-0.5, 0.5)) * pitch if rng.random() < 0.3 else 0.0
    last = int(rng.integers(1, rows + 1)) if rng.random() < 0.3 else rows
    for column in range(count):
        left = x0 + column * (wide + gutter)
        lines = last if column == count - 1 else rows
        for row in range(lines):
            level = y0 + row * pitch + 0.5 * (pitch - body) - style.pen.body_top + (column % 2) * shift
            short = verses or rng.random() < 0.05
            share = float(rng.uniform(0.55, 0.95) if verses else rng.uniform(0.15, 0.9)) if short else 1.0
            fill_line(sheet, style, left, left + wide, level, rng, share=share)
        if column:
            sheet.decoys.append((left - gutter - 2 * body, y0, left - 0.2 * body, y1))
            if ruled:
                x = round(left - gutter / 2)
                thick = max(round(float(rng.uniform(0.7, 2.5)) * unit), 1)
                cv2.line(sheet.marks, (x, round(y0)), (x, round(y1)), 255, thick)
    if rng.random() < 0.3:
        pen = Pen(style.pen.face, max(0.8 * body, 4.0))
        labels.small_note(sheet, pen, x0 + 0.3 * (x1 - x0), y0 - 0.5 * pitch, 0.4 * (x1 - x0), rng)
