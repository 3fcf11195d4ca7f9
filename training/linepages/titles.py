"""Layouts of titles: one to four lines alone on a page, in a frame or between ornaments."""

from __future__ import annotations

import attrs
import cv2
import numpy as np

from linepages import marks, pictures
from linepages.fonts import load_faces
from linepages.ink import Pen, Sheet, band_of, write_line
from linepages.layouts import panels, sides
from linepages.text import INDIC, TextStream, Token, vocabulary
from linepages.writing import Style, fill_line, hurried_style, make_style


class SpacedStream(TextStream):
    """A text whose syllables stand apart by `space` letter bodies, more or less, as on title pages."""

    def __init__(self, rng: np.random.Generator, words: list[str], space: float) -> None:
        super().__init__(rng, words)
        self._space = space
        self._chance = rng

    def next(self) -> list[Token]:
        """Return the next few tokens, and the space after them."""
        return [*super().next(), Token(gap=self._space * float(self._chance.uniform(0.4, 1.6)))]


def _title_style(rng: np.random.Generator, pitch: float) -> Style:
    """Choose a style for a title: any hand, large for its pitch, its syllables apart on some pages."""
    if rng.random() < 0.12:
        return hurried_style(rng, pitch)
    umeh = bool(rng.random() < 0.5)
    style = make_style(rng, pitch, umeh)
    if umeh and rng.random() < 0.5:
        style = attrs.evolve(style, hand=attrs.evolve(style.hand, flourish=float(rng.uniform(0.2, 0.7))))
    if rng.random() < 0.3:
        stream = SpacedStream(rng, vocabulary(rng, 30), float(rng.uniform(0.3, 3.5)))
        style = attrs.evolve(style, stream=stream)
    return style


def ornament(sheet: Sheet, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    """Draw a round ornament: petals around rings, as stands before and after a title."""
    thick = max(round(radius * float(rng.uniform(0.05, 0.15))), 1)
    petals = int(rng.integers(4, 13))
    at = (round(centre[0]), round(centre[1]))
    for turn in np.linspace(0, 2 * np.pi, petals, endpoint=False):
        middle = (
            round(centre[0] + 0.6 * radius * np.cos(turn)),
            round(centre[1] + 0.6 * radius * np.sin(turn)),
        )
        axes = (max(round(0.4 * radius), 1), max(round(radius * float(rng.uniform(0.12, 0.25))), 1))
        cv2.ellipse(sheet.marks, middle, axes, float(np.rad2deg(turn)), 0, 360, 255, thick, cv2.LINE_AA)
    for part in rng.uniform(0.1, 1.0, int(rng.integers(0, 3))):
        cv2.circle(sheet.marks, at, max(round(part * radius), 1), 255, thick, cv2.LINE_AA)
    sheet.decoys.append((centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius))


def cover(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a book's cover or title page into `box`: one to four large lines, a picture or an ornament."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    count = int(rng.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))
    pitch = height * float(rng.uniform(0.035, 0.16))
    style = _title_style(rng, pitch)
    body = style.pen.body
    top = y0 + float(rng.uniform(0.1, 0.7)) * (height - count * pitch)
    if rng.random() < 0.35:
        marks.frame(
            sheet, (x0 + 0.06 * width, y0 + 0.05 * height, x1 - 0.06 * width, y1 - 0.05 * height), rng, unit
        )
    for row in range(count):
        span = float(rng.uniform(0.15, 0.8)) * width
        left = x0 + (width - span) / 2
        fill_line(
            sheet,
            style,
            left,
            left + span,
            top + row * pitch + 0.5 * (pitch - body) - style.pen.body_top,
            rng,
        )
    below = top + count * pitch + body
    if rng.random() < 0.3 and y1 - below > 0.3 * height:
        size = float(rng.uniform(0.15, 0.28)) * height
        left = x0 + float(rng.uniform(0.1, 0.6)) * width
        pictures.picture(sheet, (left, below, left + size, below + size), rng, unit)
    elif rng.random() < 0.4:
        middle = x0 + float(rng.choice([0.5, 0.15, 0.85])) * width
        ornament(sheet, (middle, below + 2 * body), float(rng.uniform(0.8, 2.0)) * body, rng)


def title_leaf(sheet: Sheet, box: marks.Box, rng: np.random.Generator, unit: float) -> None:
    """Lay a title page: one to three lines in a small box, the first sometimes in another script."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    count = int(rng.choice([1, 2, 3], p=[0.5, 0.2, 0.3]))
    # The more lines, the smaller they are.
    large = rng.uniform(0.22, 0.4) / (0.5 + 0.5 * count)
    pitch = height * float(rng.uniform(0.1, 0.22) if rng.random() < 0.7 else large)
    style = _title_style(rng, pitch)
    span = float(rng.uniform(0.2, 0.75)) * width
    left = x0 + (width - span) * float(rng.uniform(0.25, 0.6))
    top = y0 + (height - count * pitch) * float(rng.uniform(0.3, 0.6))
    first = 0
    if count >= 2 and rng.random() < 0.5:
        _foreign_line(sheet, style, left, left + span, top, rng)
        first = 1
    for row in range(first, count):
        level = top + row * pitch + 0.45 * (pitch - style.pen.body) - style.pen.body_top
        fill_line(
            sheet, style, left, left + span, level, rng, bool(rng.random() < 0.4), float(rng.uniform(0.5, 1))
        )
    if rng.random() < 0.2:
        radius = float(rng.uniform(0.6, 1.6)) * style.pen.body
        away = radius + float(rng.uniform(0.2, 4)) * style.pen.body
        for x in (left - away, left + span + away)[: int(rng.integers(1, 3))]:
            ornament(sheet, (x, top + 0.5 * count * pitch), radius, rng)
    if rng.random() < 0.65:
        pad_x, pad_y = (
            float(rng.uniform(0.5, 6)) * style.pen.body,
            float(rng.uniform(0.3, 3)) * style.pen.body,
        )
        inner = (left - pad_x, top - pad_y, left + span + pad_x, top + count * pitch + pad_y)
        for _ in range(int(rng.integers(1, 4))):
            marks.frame(sheet, inner, rng, unit)
            more = float(rng.uniform(8, 60)) * unit
            inner = (inner[0] - more, inner[1] - more * 0.6, inner[2] + more, inner[3] + more * 0.6)
        if rng.random() < 0.3:
            panels(sheet, inner, rng, unit)
    if rng.random() < 0.4:
        sides(
            sheet,
            (left - 3 * style.pen.body, y0 + 0.2 * height, left + span, y1 - 0.2 * height),
            style,
            rng,
            unit,
        )


def _foreign_line(
    sheet: Sheet, style: Style, x0: float, x1: float, top: float, rng: np.random.Generator
) -> None:
    """Write a line in Devanagari drawn tall and heavy, as Lantsa stands on title pages."""
    faces = load_faces()["indic"]
    pen = Pen(faces[int(rng.integers(len(faces)))], style.pen.body * float(rng.uniform(0.9, 1.5)))
    tokens = [Token(text=str(rng.choice(INDIC)) + str(rng.choice(["", "", " "]))) for _ in range(60)]
    level = top + 0.45 * (style.pitch - pen.body) - pen.body_top
    _, points = write_line(sheet.lines, pen, tokens, x0, x1, lambda _: level, rng)
    if points:
        sheet.bands.append(band_of(points, pen.body, style.pitch))
