"""Pictures, panels, ornaments and smudges: the ink most like writing that is none."""

from __future__ import annotations

import cv2
import numpy as np

from linepages.ink import Gray, Sheet, stamp
from linepages.marks import Box, rule


def picture(sheet: Sheet, box: Box, rng: np.random.Generator, unit: float) -> None:
    """Draw a deity-like picture into `box`: haloes, rays, drapery, petals, often in a frame of its own."""
    x0, y0, x1, y1 = (round(value) for value in box)
    width, height = x1 - x0, y1 - y0
    if width < 8 or height < 8:
        return
    sheet.decoys.append(box)
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
            rule(sheet.marks, (x0, y), (x1, y), round(rng.integers(1, 4) * unit), 255)


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
    streaks = np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    patches = rng.normal(0, 1, (max(height // 40, 2), max(width // 90, 3))).astype(np.float32)
    spread = np.asarray(cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    streaks += float(rng.uniform(0, 1.2)) * spread
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


def edge_bands(sheet: Sheet, rng: np.random.Generator, unit: float) -> None:
    """Leave long dark streaks along the upper or lower edge, as worn leaves' edges come out of a bilevel scanner."""
    for _ in range(int(rng.integers(1, 4))):
        wide = float(rng.uniform(0.25, 1.0)) * sheet.width
        tall = float(rng.uniform(0.01, 0.08)) * sheet.height
        left = float(rng.uniform(0, sheet.width - wide))
        inset = float(rng.uniform(0.005, 0.12)) * sheet.height
        top = inset if rng.random() < 0.5 else sheet.height - inset - tall
        smudge(sheet, (left, top, left + wide, top + tall), rng, unit)
