"""Ink that is no line: frames, pictures, stamps, side titles, notes, forms. Everything is drawn into `Sheet.marks`."""

from __future__ import annotations

import cv2
import numpy as np

from linepages.fonts import load_faces
from linepages.ink import Gray, Pen, Sheet, stamp, write_line
from linepages.text import LATIN_WORDS, TextStream, Token, vocabulary

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in sheet pixels."""


def _rule(canvas: Gray, start: tuple[float, float], end: tuple[float, float], width: int, dark: int) -> None:
    """Draw a straight rule."""
    cv2.line(
        canvas,
        (round(start[0]), round(start[1])),
        (round(end[0]), round(end[1])),
        dark,
        max(width, 1),
        cv2.LINE_AA,
    )


def frame(sheet: Sheet, box: Box, rng: np.random.Generator, unit: float) -> None:
    """Draw a frame around `box`: one to three rules of any weight, black or red (lighter), often broken.

    Args:
        unit: the sheet's pixels per detection pixel, which scales the rules' weights.
    """
    canvas = np.zeros_like(sheet.marks)
    dark = int(rng.choice([255, 255, 150, 110]))
    weights = [int(rng.integers(1, 4)) for _ in range(int(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15])))]
    if rng.random() < 0.25:
        weights[-1] = int(rng.integers(4, 10))
    offset = 0.0
    x0, y0, x1, y1 = box
    slip = [rng.normal(0, 1.5) * unit for _ in range(8)] if rng.random() < 0.5 else [0.0] * 8
    for weight in weights:
        thick = max(round(weight * unit), 1)
        corners = [
            (x0 - offset + slip[0], y0 - offset + slip[1]),
            (x1 + offset + slip[2], y0 - offset + slip[3]),
            (x1 + offset + slip[4], y1 + offset + slip[5]),
            (x0 - offset + slip[6], y1 + offset + slip[7]),
        ]
        for side in range(4):
            if rng.random() > 0.04:
                _rule(canvas, corners[side], corners[(side + 1) % 4], thick, dark)
        offset += (weight + float(rng.uniform(2, 9))) * unit
    for side in (-1, 1):
        if rng.random() < 0.5:
            x = x0 if side < 0 else x1
            for number in range(int(rng.integers(1, 4))):
                at = x + side * (12 + 9 * number * rng.uniform(0.6, 1.6)) * unit
                _rule(canvas, (at, y0), (at, y1), round(rng.integers(1, 4) * unit), dark)
    if rng.random() < 0.35:
        wear(canvas, rng, unit, float(rng.uniform(0.15, 0.6)))
    np.maximum(sheet.marks, canvas, out=sheet.marks)


def guide_rule(sheet: Sheet, ends: tuple[float, float], y: float, rng: np.random.Generator) -> None:
    """Rule a thin line that writing was to follow; it may run through the letters."""
    tilt = float(rng.normal(0, 1.5))
    _rule(sheet.marks, (ends[0], y - tilt), (ends[1], y + tilt), 1, int(rng.integers(90, 256)))


def side_rules(sheet: Sheet, box: Box, rng: np.random.Generator, unit: float) -> None:
    """Draw one to three rules left and right of `box`, none above and below."""
    x0, y0, x1, y1 = box
    canvas = np.zeros_like(sheet.marks)
    dark = int(rng.choice([255, 150]))
    step = float(rng.uniform(4, 14)) * unit
    for start, away in ((x0, -1), (x1, 1)):
        for number in range(int(rng.integers(1, 4))):
            x = start + away * number * step
            lean = float(rng.normal(0, 3)) * unit
            _rule(canvas, (x, y0), (x + lean, y1), round(float(rng.uniform(0.8, 4)) * unit), dark)
    if rng.random() < 0.3:
        wear(canvas, rng, unit, float(rng.uniform(0.1, 0.5)))
    np.maximum(sheet.marks, canvas, out=sheet.marks)


def ornament_row(sheet: Sheet, box: Box, rng: np.random.Generator, unit: float) -> None:
    """Draw a border of one small figure repeated along `box`, between two rules or not."""
    x0, y0, x1, y1 = box
    size = max(int(y1 - y0), 6)
    figure = np.zeros((size, max(int(size * rng.uniform(0.6, 2.0)), 4)), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        centre = (int(rng.integers(figure.shape[1])), int(rng.integers(size)))
        axes = (int(rng.integers(1, max(figure.shape[1] // 2, 2))), int(rng.integers(1, size // 2 + 1)))
        turn = int(rng.integers(180))
        cv2.ellipse(
            figure,
            centre,
            axes,
            turn,
            0,
            int(rng.integers(90, 361)),
            255,
            max(round(1.3 * unit), 1),
            cv2.LINE_AA,
        )
    count = int((x1 - x0) / figure.shape[1])
    if count:
        stamp(sheet.marks, np.tile(figure, (1, count)), x0, y0)
    if rng.random() < 0.5:
        for y in (y0 - 2 * unit, y1 + 2 * unit):
            _rule(sheet.marks, (x0, y), (x1, y), round(rng.integers(1, 4) * unit), 255)


def smudge(sheet: Sheet, box: Box, rng: np.random.Generator, unit: float) -> None:
    """Rub `box` with streaks of ink, denser towards its middle, as a block or a hand leaves beside the text."""
    x0, y0, x1, y1 = (round(value) for value in box)
    height, width = y1 - y0, x1 - x0
    if height < 6 or width < 6:
        return
    stretch = float(rng.choice([1.0, 4.0, 10.0, 25.0]))
    grain = float(rng.uniform(1, 3.5)) * unit
    cells = (max(int(height / grain), 2), max(int(width / grain / stretch), 2))
    field = rng.normal(0, 1, cells).astype(np.float32)
    streaks = np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC))
    patches = rng.normal(0, 1, (max(height // 40, 2), max(width // 90, 3))).astype(np.float32)
    streaks += float(rng.uniform(0, 1.2)) * cv2.resize(
        patches, (width, height), interpolation=cv2.INTER_CUBIC
    )
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    falling = float(rng.uniform(0.5, 3)) * (np.abs(y) ** 3 + np.abs(x) ** 6)
    dark = streaks > float(rng.uniform(0.2, 1.6)) + falling
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 6)), 1.0)
    mask = cv2.warpAffine(dark.astype(np.uint8) * int(rng.integers(120, 256)), matrix, (width, height))
    stamp(sheet.marks, np.asarray(mask, np.uint8), x0, y0)


def smudges(sheet: Sheet, box: Box, rng: np.random.Generator, unit: float, count: int) -> None:
    """Leave long low smudges anywhere in `box`: the size of lines, but none."""
    x0, y0, x1, y1 = box
    for _ in range(count):
        wide, tall = float(rng.uniform(0.03, 0.6)) * (x1 - x0), float(rng.uniform(0.03, 0.2)) * (y1 - y0)
        left, top = float(rng.uniform(x0, x1 - wide)), float(rng.uniform(y0, y1 - tall))
        smudge(sheet, (left, top, left + wide, top + tall), rng, unit)


def wear(canvas: Gray, rng: np.random.Generator, unit: float, share: float) -> None:
    """Wear `share` of the ink off, in blotches."""
    height, width = canvas.shape
    cell = float(rng.uniform(3, 14)) * unit
    small = rng.random((max(int(height / cell), 2), max(int(width / cell), 2)), np.float32)
    worn = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR) < np.quantile(small, share)
    canvas[np.asarray(worn)] = 0


def picture(sheet: Sheet, box: Box, rng: np.random.Generator, unit: float) -> None:
    """Draw a deity-like picture into `box`: haloes, rays, drapery, petals, often in a frame of its own."""
    x0, y0, x1, y1 = (round(value) for value in box)
    width, height = x1 - x0, y1 - y0
    if width < 8 or height < 8:
        return
    canvas = np.zeros((height, width), np.uint8)
    middle = (width // 2 + int(rng.normal(0, width * 0.05)), int(height * rng.uniform(0.3, 0.6)))
    thick = max(round(float(rng.uniform(0.8, 2.2)) * unit), 1)
    for _ in range(int(rng.integers(2, 6))):
        radius = float(rng.uniform(0.1, 0.6))
        axes = (max(int(radius * width * 0.6), 1), max(int(radius * height * rng.uniform(0.5, 1.0)), 1))
        cv2.ellipse(canvas, middle, axes, float(rng.uniform(-20, 20)), 0, 360, 255, thick, cv2.LINE_AA)
    if rng.random() < 0.5:
        rays = int(rng.integers(16, 60))
        inner, outer = float(rng.uniform(0.15, 0.3)), float(rng.uniform(0.35, 0.7))
        for angle in np.linspace(0, 2 * np.pi, rays, endpoint=False):
            dx, dy = np.cos(angle) * width, np.sin(angle) * height
            start = (int(middle[0] + inner * dx), int(middle[1] + inner * dy))
            cv2.line(
                canvas,
                start,
                (int(middle[0] + outer * dx), int(middle[1] + outer * dy)),
                255,
                thick,
                cv2.LINE_AA,
            )
    if rng.random() < 0.25:
        _dark_ground(canvas, middle, rng)
    for _ in range(int(rng.integers(15, 90))):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.uniform(0.02, 0.18) * width) + 1, int(rng.uniform(0.02, 0.15) * height) + 1)
        begin = int(rng.integers(360))
        cv2.ellipse(
            canvas,
            centre,
            axes,
            int(rng.integers(180)),
            begin,
            begin + int(rng.integers(60, 300)),
            255,
            thick,
            cv2.LINE_AA,
        )
    if rng.random() < 0.5:
        blob = (int(width * rng.uniform(0.05, 0.15)) + 1, int(height * rng.uniform(0.03, 0.12)) + 1)
        cv2.ellipse(canvas, (middle[0], int(height * 0.2)), blob, 0, 0, 360, 255, -1, cv2.LINE_AA)
    if rng.random() < 0.7:
        cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), 255, max(round(rng.integers(1, 5) * unit), 1))
    stamp(sheet.marks, canvas, x0, y0)


def _dark_ground(canvas: Gray, middle: tuple[int, int], rng: np.random.Generator) -> None:
    """Fill a picture dark, with the figure and its arch left light, as paintings come out of a bilevel scanner."""
    height, width = canvas.shape
    canvas[:] = np.where(rng.random((height, width)) < rng.uniform(0.6, 1.0), 255, 0).astype(np.uint8)
    arch = (max(int(width * rng.uniform(0.3, 0.48)), 1), max(int(height * rng.uniform(0.35, 0.5)), 1))
    cv2.ellipse(canvas, middle, arch, 0, 0, 360, 0, max(int(0.04 * width), 1), cv2.LINE_AA)
    for share in (0.5, 0.3):
        at = (middle[0], int(middle[1] + height * rng.uniform(-0.15, 0.25)))
        axes = (max(int(arch[0] * share), 1), max(int(arch[1] * share * rng.uniform(0.6, 1.2)), 1))
        cv2.ellipse(canvas, at, axes, 0, 0, 360, 0, -1, cv2.LINE_AA)


def lattice(sheet: Sheet, box: Box, rng: np.random.Generator, unit: float) -> None:
    """Fill `box` with crossing slanted rules, as the end panels of title pages are."""
    x0, y0, x1, y1 = (round(value) for value in box)
    height, width = y1 - y0, x1 - x0
    if height < 8 or width < 8:
        return
    canvas = np.zeros((height, width), np.uint8)
    step = max(int(height * rng.uniform(0.08, 0.4)), 5)
    slope = float(rng.choice([1.0, rng.uniform(0.4, 2.0)]))
    thick = max(round(float(rng.uniform(0.7, 2.5)) * unit), 1)
    run = int(height / slope)
    for x in range(-run, width + run, step):
        cv2.line(canvas, (x, 0), (x + run, height), 255, thick, cv2.LINE_AA)
        cv2.line(canvas, (x + run, 0), (x, height), 255, thick, cv2.LINE_AA)
    stamp(sheet.marks, canvas, x0, y0)


def hole(
    sheet: Sheet, centre: tuple[float, float], radius: float, rng: np.random.Generator, unit: float
) -> None:
    """Clear a round for the string that binds the leaves, with or without a drawn circle."""
    at = (round(centre[0]), round(centre[1]))
    for canvas in (sheet.lines, sheet.marks):
        cv2.circle(canvas, at, round(radius), 0, -1)
    if rng.random() < 0.7:
        cv2.circle(
            sheet.marks,
            at,
            round(radius * 0.9),
            int(rng.choice([255, 140])),
            max(round(unit), 1),
            cv2.LINE_AA,
        )
    if rng.random() < 0.3:
        cv2.circle(sheet.marks, at, max(round(radius * 0.2), 2), 255, -1, cv2.LINE_AA)


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
    chosen = [str(rng.choice(LATIN_WORDS)) + " " for _ in range(words)]
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
    write_line(sheet.marks, pen, tokens, x, x + width, lambda _: y, rng)


def scribbles(sheet: Sheet, rng: np.random.Generator, unit: float, count: int) -> None:
    """Draw pen strokes, cracks and worm tracks."""
    for _ in range(count):
        steps = int(rng.integers(2, 12))
        x, y = rng.uniform(0, sheet.width), rng.uniform(0, sheet.height)
        angle = rng.uniform(0, 2 * np.pi)
        points = [(x, y)]
        for _ in range(steps):
            angle += rng.normal(0, 0.5)
            length = float(rng.uniform(3, 60)) * unit
            x, y = x + np.cos(angle) * length, y + np.sin(angle) * length
            points.append((x, y))
        path = np.round(np.array(points)).astype(np.int32)
        cv2.polylines(
            sheet.marks,
            [path],
            False,
            int(rng.integers(90, 256)),
            max(round(rng.uniform(0.6, 3) * unit), 1),
            cv2.LINE_AA,
        )
