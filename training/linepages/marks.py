"""Drawn ink that is no line: rules, frames, holes, pen strokes. All of it goes into `Sheet.marks`."""

from __future__ import annotations

import cv2
import numpy as np

from linepages.ink import Gray, Sheet

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in sheet pixels."""


def rule(canvas: Gray, start: tuple[float, float], end: tuple[float, float], width: int, dark: int) -> None:
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
                rule(canvas, corners[side], corners[(side + 1) % 4], thick, dark)
        offset += (weight + float(rng.uniform(2, 9))) * unit
    for side in (-1, 1):
        if rng.random() < 0.5:
            x = x0 if side < 0 else x1
            for number in range(int(rng.integers(1, 4))):
                at = x + side * (12 + 9 * number * rng.uniform(0.6, 1.6)) * unit
                rule(canvas, (at, y0), (at, y1), round(rng.integers(1, 4) * unit), dark)
    if rng.random() < 0.35:
        wear(canvas, rng, unit, float(rng.uniform(0.15, 0.6)))
    np.maximum(sheet.marks, canvas, out=sheet.marks)


def guide_rule(sheet: Sheet, ends: tuple[float, float], y: float, rng: np.random.Generator) -> None:
    """Rule a thin line that writing was to follow; it may run through the letters."""
    tilt = float(rng.normal(0, 1.5))
    rule(sheet.marks, (ends[0], y - tilt), (ends[1], y + tilt), 1, int(rng.integers(90, 256)))


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
            rule(canvas, (x, y0), (x + lean, y1), round(float(rng.uniform(0.8, 4)) * unit), dark)
    if rng.random() < 0.3:
        wear(canvas, rng, unit, float(rng.uniform(0.1, 0.5)))
    np.maximum(sheet.marks, canvas, out=sheet.marks)


def wear(canvas: Gray, rng: np.random.Generator, unit: float, share: float) -> None:
    """Wear `share` of the ink off, in blotches."""
    height, width = canvas.shape
    cell = float(rng.uniform(3, 14)) * unit
    small = rng.random((max(int(height / cell), 2), max(int(width / cell), 2)), np.float32)
    worn = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR) < np.quantile(small, share)
    canvas[np.asarray(worn)] = 0


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


def wash(sheet: Sheet, box: Box, rng: np.random.Generator) -> None:
    """Colour a stretch of writing with a broad brush, as names are marked; in one bit it turns black or is gone."""
    x0, y0, x1, y1 = box
    middle = (y0 + y1) / 2
    tilt = float(rng.normal(0, 0.1)) * (y1 - y0)
    canvas = np.zeros_like(sheet.marks)
    thick = round((y1 - y0) * float(rng.uniform(0.5, 1.2)))
    rule(canvas, (x0, middle - tilt), (x1, middle + tilt), thick, int(rng.integers(40, 200)))
    np.maximum(sheet.marks, canvas, out=sheet.marks)
