"""Small writing that is no line: side titles, numbers, Latin words, seals, notes."""

from __future__ import annotations

import cv2
import numpy as np

from linepages.fonts import load_faces
from linepages.ink import Gray, Pen, Sheet, stamp, write_line
from linepages.marks import Box, wear
from linepages.text import TextStream, Token, latin_word, vocabulary


def drawn_text(words: list[str], pen: Pen, rng: np.random.Generator, width: float) -> Gray:
    """Return a strip with words written on it, cut to its ink."""
    strip = np.zeros((int(pen.body * 5) + 4, int(width) + 4), np.uint8)
    level = pen.body * 2.5
    tokens = [Token(text=word) for word in words]
    write_line(strip, pen, tokens, 2, width, lambda _: level, rng)
    rows, columns = np.flatnonzero(strip.max(axis=1)), np.flatnonzero(strip.max(axis=0))
    if not rows.size:
        return strip[:1, :1]
    return strip[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def side_title(sheet: Sheet, box: Box, pen: Pen, rng: np.random.Generator) -> None:
    """Write a folio title into the narrow column `box`: turned by 90 degrees, or syllables one below another."""
    x0, y0, x1, y1 = box
    words = vocabulary(rng, int(rng.integers(1, 7)))
    if rng.random() < 0.75:
        strip = drawn_text(words, pen, rng, y1 - y0)
        turned = np.ascontiguousarray(np.rot90(strip, int(rng.choice([1, 3]))))
        stamp(sheet.marks, turned, (x0 + x1 - turned.shape[1]) / 2, y0 + rng.uniform(0, 0.4) * (y1 - y0))
        return
    y = y0 + pen.body * rng.uniform(0, 2)
    for word in words:
        strip = drawn_text([word], pen, rng, 30 * pen.body)
        if y + strip.shape[0] > y1:
            break
        stamp(sheet.marks, strip, (x0 + x1 - strip.shape[1]) / 2, y)
        y += strip.shape[0] + pen.body * rng.uniform(0.3, 2.5)


def latin(rng: np.random.Generator, body: float, words: int, width: float) -> Gray:
    """Return a strip of Latin words or a number."""
    faces = load_faces()["latin"]
    pen = Pen(faces[int(rng.integers(len(faces)))], body)
    chosen = [latin_word(rng) + " " for _ in range(words)]
    return drawn_text(chosen, pen, rng, width)


def number(rng: np.random.Generator, body: float) -> Gray:
    """Return a strip with a page or folio number."""
    faces = load_faces()["latin"]
    pen = Pen(faces[int(rng.integers(len(faces)))], body)
    text = str(int(rng.integers(1, 999))) + str(rng.choice(["", "", "a", "b", " -"]))
    strip = drawn_text([text], pen, rng, 12 * body)
    return np.ascontiguousarray(np.rot90(strip, int(rng.choice([1, 3])))) if rng.random() < 0.25 else strip


def seal(
    sheet: Sheet, centre: tuple[float, float], radius: float, rng: np.random.Generator, unit: float
) -> None:
    """Stamp a round or square seal with some writing in it."""
    size = max(int(radius), 6)
    canvas = np.zeros((2 * size + 1, 2 * size + 1), np.uint8)
    thick = max(round(rng.integers(1, 4) * unit), 1)
    if rng.random() < 0.5:
        cv2.circle(canvas, (size, size), size - thick, 255, thick, cv2.LINE_AA)
        cv2.circle(canvas, (size, size), max(int(size * 0.7), 1), 255, 1, cv2.LINE_AA)
    else:
        cv2.rectangle(canvas, (thick, thick), (2 * size - thick, 2 * size - thick), 255, thick)
    for row in range(int(rng.integers(1, 4))):
        strip = latin(rng, size * 0.2, int(rng.integers(1, 3)), 1.5 * size)
        stamp(canvas, strip, size - strip.shape[1] / 2, size * (0.5 + 0.4 * row))
    wear(canvas, rng, unit, float(rng.uniform(0, 0.4)))
    canvas = (canvas * rng.uniform(0.4, 1.0)).astype(np.uint8)
    stamp(sheet.marks, canvas, centre[0] - size, centre[1] - size)


def small_note(sheet: Sheet, pen: Pen, x: float, y: float, width: float, rng: np.random.Generator) -> None:
    """Write a short note in small letters with its baseline at (x, y)."""
    stream = TextStream(rng, vocabulary(rng, 12))
    tokens = [token for _ in range(int(rng.integers(1, 9))) for token in stream.next()]
    end, _ = write_line(sheet.marks, pen, tokens, x, x + width, lambda _: y, rng)
    sheet.decoys.append((x, y + pen.body_top, end, y + pen.body_bottom))
