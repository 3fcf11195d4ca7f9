"""Layouts of pages in a fast hand: leaves, letters and notebooks, few lines far apart or many close together."""

from __future__ import annotations

import numpy as np

from linepages import labels, marks, pictures
from linepages.ink import Pen, Sheet
from linepages.writing import Style, hurried_style, text_block


def hurried_leaf(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a pecha leaf into `box`: one to eight lines, framed or not, sometimes filled only in part."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    inset = float(rng.uniform(0.02, 0.12)) * width, float(rng.uniform(0.04, 0.2)) * height
    text = (x0 + inset[0], y0 + inset[1], x1 - inset[0], y1 - inset[1])
    rows = int(rng.integers(2, 9))
    count = rows if rng.random() < 0.7 else int(rng.integers(1, rows + 1))
    style = hurried_style(rng, (text[3] - text[1]) / rows)
    _write(sheet, text, style, count, rng)
    if rng.random() < 0.4:
        pad = float(rng.uniform(0.2, 1.5)) * style.pen.body
        marks.frame(sheet, (text[0] - pad, text[1], text[2] + pad, text[3] + 0.3 * pad), rng, unit)


def hurried_page(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a portrait page into `box`: a letter or a notebook's page, two to twenty-five lines, anywhere on it."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    inset = float(rng.uniform(0.04, 0.16)) * width, float(rng.uniform(0.04, 0.16)) * height
    text = (x0 + inset[0], y0 + inset[1], x1 - inset[0], y1 - inset[1])
    rows = int(rng.integers(5, 16) if rng.random() < 0.75 else rng.integers(15, 26))
    count = rows if rng.random() < 0.6 else int(rng.integers(2, rows + 1))
    style = hurried_style(rng, (text[3] - text[1]) / rows)
    top = text[1] + float(rng.uniform(0, 1)) * (rows - count) * style.pitch
    _write(sheet, (text[0], top, text[2], text[3]), style, count, rng)
    if rng.random() < 0.25:
        labels.seal(
            sheet, (rng.uniform(x0, x1), rng.uniform(y0, y1)), float(rng.uniform(20, 60)) * unit, rng, unit
        )
    if rng.random() < 0.1 and count < rows - 4:
        pictures.smudges(sheet, (x0, text[3] - 2 * style.pitch, x1, y1), rng, unit, 2)
    marks.scribbles(sheet, rng, unit, int(rng.integers(0, 3)))


def _write(sheet: Sheet, box: marks.Box, style: Style, count: int, rng: np.random.Generator) -> None:
    """Write the lines, on some pages beside a note in a smaller hand that is no line."""
    text_block(sheet, style, box, count, rng, opening=bool(rng.random() < 0.3))
    if rng.random() < 0.1:
        pen = Pen(style.pen.face, max(0.5 * style.pen.body, 4.0))
        labels.small_note(sheet, pen, box[0], box[1] - pen.body, 0.3 * (box[2] - box[0]), rng)
