"""Layouts of pecha leaves: where lines, frames, pictures and side titles go."""

from __future__ import annotations

import numpy as np

from linepages import labels, marks, pictures
from linepages.ink import Pen, Sheet, stamp
from linepages.writing import Style, make_style, text_block


def leaf(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a pecha leaf into `box`: 1–9 lines, now and then up to 14, with or without frame, pictures, holes, titles."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    margin_x = float(rng.uniform(0.02, 0.13)) * width
    margin_y = float(rng.uniform(0.03, 0.28)) * height
    shift = float(rng.uniform(-0.7, 0.7)) * margin_y
    text = (
        x0 + margin_x,
        y0 + margin_y + shift,
        x1 - margin_x * float(rng.uniform(0.5, 1)),
        y1 - margin_y + shift,
    )
    count = int(rng.choice(np.arange(1, 10), p=[0.05, 0.05, 0.06, 0.1, 0.18, 0.22, 0.22, 0.07, 0.05]))
    count = int(rng.integers(10, 15)) if rng.random() < 0.04 else count
    pitch = (text[3] - text[1]) / max(count, 2.5)
    style = make_style(rng, pitch, umeh=bool(rng.random() < 0.45))
    body = style.pen.body
    pad = float(rng.uniform(0.1, 1.6)) * body
    framed = rng.random() < 0.6
    if framed:
        marks.frame(
            sheet, (text[0] - pad, text[1] - 0.3 * pad, text[2] + pad, text[3] + 0.3 * pad), rng, unit
        )
    edges = [text[0], text[2]]
    if rng.random() < 0.15:
        for side in (0, 1):
            if rng.random() < 0.75:
                size = (text[3] - text[1]) * float(rng.uniform(0.6, 1.1))
                start = edges[0] if side == 0 else edges[1] - size
                pictures.picture(sheet, (start, text[1], start + size, text[3]), rng, unit)
                if rng.random() < 0.4:
                    caption = Pen(style.pen.face, max(body * float(rng.uniform(0.4, 0.7)), 4.0))
                    labels.small_note(sheet, caption, start, text[3] - 0.2 * caption.body, 1.3 * size, rng)
                gap = size + float(rng.uniform(-0.1, 1.5)) * body
                edges[side] += gap if side == 0 else -gap
    holes = _string_holes(text, rng) if rng.random() < 0.1 else []
    block = (edges[0], text[1], edges[1], text[3])
    upper = int(rng.integers(1, count)) if count > 3 and rng.random() < 0.08 else count
    text_block(sheet, style, block, upper, rng, opening=bool(rng.random() < 0.45), holes=holes)
    if upper < count:
        # Another hand goes on, or the commentary in smaller letters.
        other = make_style(rng, pitch, umeh=bool(rng.random() < 0.5))
        lower = (block[0], block[1] + upper * pitch, block[2], block[3])
        text_block(sheet, other, lower, count - upper, rng, holes=holes)
    for cx, cy, radius in holes:
        marks.hole(sheet, (cx, cy), radius * 0.9, rng, unit)
    outer = 2.2 * pad if framed else 0.5 * body
    if rng.random() < 0.2:
        below = (x0, text[3] + 0.4 * pad, x1, y1) if rng.random() < 0.7 else (x0, y0, x1, text[1] - 0.4 * pad)
        if below[3] - below[1] > 20 * unit:
            pictures.smudges(sheet, below, rng, unit, int(rng.integers(1, 5)))
    if framed and rng.random() < 0.1:
        panels(sheet, (text[0] - pad, text[1], text[2] + pad, text[3]), rng, unit)
    sides(sheet, (text[0] - outer, text[1], text[2] + outer, text[3]), style, rng, unit)


def panels(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Set a framed panel of rubbed ink or crossing rules left and right of the text."""
    x0, y0, x1, y1 = box
    wide = float(rng.uniform(0.2, 0.6)) * (y1 - y0)
    gap = float(rng.uniform(5, 25)) * unit
    for left in (x0 - gap - wide, x1 + gap):
        marks.frame(sheet, (left, y0, left + wide, y1), rng, unit)
        fill = pictures.smudge if rng.random() < 0.5 else pictures.lattice
        fill(sheet, (left, y0, left + wide, y1), rng, unit)


def _string_holes(text: marks.Box, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Place one or two string holes inside the text."""
    x0, y0, x1, y1 = text
    radius = (y1 - y0) * float(rng.uniform(0.06, 0.16))
    middle = (y0 + y1) / 2
    places = [0.5] if rng.random() < 0.4 else [0.33, 0.67]
    return [(x0 + place * (x1 - x0), middle, radius) for place in places]


def sides(sheet: Sheet, box: marks.Box, style: Style, rng: np.random.Generator, unit: float) -> None:
    """Write side titles and folio numbers to the left and right of a leaf's text."""
    x0, y0, x1, y1 = box
    pen = Pen(style.pen.face, max(style.pen.body * float(rng.uniform(0.4, 0.9)), 4.0))
    wide = 3 * pen.body
    for left in (True, False):
        if rng.random() < 0.5:
            gap = float(rng.uniform(0.3, 3)) * pen.body
            column = (x0 - gap - wide, y0, x0 - gap, y1) if left else (x1 + gap, y0, x1 + gap + wide, y1)
            labels.side_title(sheet, column, pen, rng)
        if rng.random() < 0.3:
            strip = labels.number(rng, float(rng.uniform(8, 22)) * unit)
            x = x0 - wide * 1.5 if left else x1 + wide * 0.5
            stamp(sheet.marks, strip, x, rng.uniform(y0, max(y1 - strip.shape[0], y0 + 1)))
