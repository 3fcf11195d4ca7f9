"""What blocks, paper and scanners do to a line: bending, wear, noise, frames, bars, one bit per pixel."""

from __future__ import annotations

import cv2
import numpy as np

from linepages.ink import Gray
from linepages.paper import fine_noise, smooth_noise
from linepages.scan import jpeg


def worn(
    line: Gray,
    around: Gray,
    measures: tuple[int, float, float],
    rng: np.random.Generator,
    *,
    level_only: bool,
) -> Gray:
    """Return a line and what is around it as a scan shows them, 255 = paper; bodies stay where they are.

    Args:
        line, around: darkness of the line and of its neighbours, one size.
        measures: the width the line is stretched to, and the rows of its bodies' top and bottom.
        level_only: neither tilted nor waved.
    """
    width, top, bottom = measures
    body = bottom - top
    ink = np.maximum(line, around)
    ink = _bent(ink, width, body, (top + bottom) / 2, rng, level_only=level_only)
    if rng.random() < 0.3:
        _frames(ink, top, bottom, body, rng)
    if rng.random() < 0.25:
        _bars(ink, body, rng)
    kind = rng.random()
    if kind < 0.55:
        return _bilevel(ink, body, rng)
    if kind < 0.7:
        return np.where(ink > int(rng.integers(70, 180)), 0, 255).astype(np.uint8)  # a clean scan in one bit
    return _grey(ink, body, rng)


def _bent(
    ink: Gray, width: int, body: float, middle: float, rng: np.random.Generator, *, level_only: bool
) -> Gray:
    """Stretch, slant, wave and locally distort the line."""
    height = ink.shape[0]
    step = max(4, round(body / 3))
    rows, columns = height // step + 2, width // step + 2
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) * step
    source_x = x * (ink.shape[1] / width)
    source_y = y.copy()
    if rng.random() < 0.5:
        source_x += float(rng.normal(0, 0.08)) * (y - middle)
    if not level_only and rng.random() < 0.6:
        along = x / (32 * body)
        tilt = float(rng.normal(0, 0.18)) * body
        wave = float(rng.normal(0, 0.08)) * body
        source_y += tilt * (along - 0.5) + wave * np.sin(
            2 * np.pi * along * float(rng.uniform(0.5, 4)) + float(rng.uniform(0, 6.3))
        )
    if rng.random() < 0.6:
        strength = float(rng.uniform(0.01, 0.06)) * body
        grain = float(rng.uniform(0.6, 2.5)) * body
        cells = (max(int(height / grain), 2), max(int(width / grain), 2))
        for target in (source_x, source_y):
            field = rng.normal(0, strength, cells).astype(np.float32)
            target += cv2.resize(field, (columns, rows), interpolation=cv2.INTER_CUBIC)
    size = (columns * step, rows * step)
    shift = np.array([[step, 0, 0], [0, step, 0]], np.float32)

    def full(field: np.ndarray) -> np.ndarray:
        grown = cv2.warpAffine(
            field.astype(np.float32), shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.ascontiguousarray(grown[:height, :width])

    return np.asarray(cv2.remap(ink, full(source_x), full(source_y), cv2.INTER_LINEAR), np.uint8)


def _frames(ink: Gray, top: float, bottom: float, body: float, rng: np.random.Generator) -> None:
    """Draw a frame's long sides: single, double, thick, broken, a little sloped."""
    height, width = ink.shape
    for side in (-1, 1):
        if rng.random() < 0.4:
            continue
        at = (
            top - float(rng.uniform(0.75, 2.0)) * body
            if side < 0
            else bottom + float(rng.uniform(0.9, 2.4)) * body
        )
        slope = float(rng.normal(0, 0.12)) * body
        for number in range(int(rng.integers(1, 3))):
            thick = max(1, round(float(rng.choice([0.06, 0.12, 0.3, 0.8], p=[0.3, 0.35, 0.2, 0.15])) * body))
            y = at + side * number * float(rng.uniform(0.25, 0.6)) * body
            cv2.line(ink, (0, round(y)), (width, round(y + slope)), 255, thick)
        if rng.random() < 0.5:
            edge = round(at + side * float(rng.uniform(0.6, 1.5)) * body)
            rows = slice(0, max(edge, 0)) if side < 0 else slice(min(edge, height), height)
            ink[rows] = 255 if rng.random() < 0.5 else ink[rows]
        _holes(ink, at, body, rng)


def _holes(ink: Gray, level: float, body: float, rng: np.random.Generator) -> None:
    """Break a frame's line here and there."""
    y0, y1 = max(int(level - 0.4 * body), 0), max(int(level + 0.4 * body), 1)
    for _ in range(int(rng.integers(0, 12))):
        x = int(rng.integers(0, ink.shape[1]))
        ink[y0:y1, x : x + int(rng.uniform(0.05, 0.6) * body) + 1] = 0


def _bars(ink: Gray, body: float, rng: np.random.Generator) -> None:
    """Draw what stands beside a line: a frame's short side, a dark edge, a spotted strip."""
    height, width = ink.shape
    for left in (True, False):
        if rng.random() < 0.45:
            continue
        thick = int(float(rng.choice([0.08, 0.2, 0.8, 1.4], p=[0.35, 0.25, 0.25, 0.15])) * body) + 1
        at = int(float(rng.uniform(0, 0.5)) * body)
        x0 = at if left else width - at - thick
        # Letters start beside the bar: what of them lies below it is lost under paper first.
        strip = ink[:, max(x0, 0) : max(x0, 0) + thick]
        if strip.size == 0 or (strip[height // 4 : -height // 4] > 128).mean() > 0.03:
            continue
        strip[:] = 255
        if thick > 3 and rng.random() < 0.7:
            spots = rng.random((height // 3 + 1, strip.shape[1] // 3 + 1)) < float(rng.uniform(0.1, 0.5))
            big = cv2.resize(
                spots.astype(np.uint8), (strip.shape[1], height), interpolation=cv2.INTER_NEAREST
            )
            strip[big > 0] = 0


def _bilevel(ink: Gray, body: float, rng: np.random.Generator) -> Gray:
    """Print the ink badly and scan it in one bit: thicker or thinner strokes, ragged edges, breaks."""
    height, width = ink.shape
    share = float((ink[::2, ::2] > 127).mean())
    dark = cv2.GaussianBlur(ink, (0, 0), float(rng.uniform(0.02, 0.085)) * body + 0.2).astype(np.float32)
    if rng.random() < 0.55:
        floor = float(rng.uniform(0.6, 0.95))
        dark *= smooth_noise(rng, height, width, float(rng.uniform(0.3, 4)) * body, floor, 1.15)
    if rng.random() < 0.6:
        grain = float(rng.uniform(0.5, 1.8)) * body / 18
        dark += fine_noise(rng, height, width, float(rng.uniform(4, 38)), grain)
    # How much is inked decides the threshold, so that thin faces don't vanish and heavy ones don't clog.
    wanted = share * float(np.exp(rng.normal(0.12, 0.22)))
    threshold = float(np.clip(np.quantile(dark[::3, ::3], 1 - min(wanted, 0.6)), 30, 215))
    out = np.where(dark > threshold, 0, 255).astype(np.uint8)
    _specks(out, body, rng)
    return out


def _specks(out: Gray, body: float, rng: np.random.Generator) -> None:
    """Strew black and white specks."""
    height, width = out.shape
    for value in (0, 255):
        if rng.random() < 0.4:
            count = int(10 ** rng.uniform(0.3, 2.0) * width / (32 * body))
            size = max(1, int(rng.uniform(0.02, 0.11) * body))
            for y, x in zip(rng.integers(0, height, count), rng.integers(0, width, count), strict=True):
                out[y : y + size, x : x + size] = value


def _grey(ink: Gray, body: float, rng: np.random.Generator) -> Gray:
    """Scan the ink in grey: soft, noisy, on paper that is not white."""
    height, width = ink.shape
    if rng.random() < 0.3:
        size = max(2, round(float(rng.uniform(0.04, 0.09)) * body))
        ink = np.asarray(cv2.dilate(ink, np.ones((size, size), np.uint8)), np.uint8)
    dark = (
        cv2.GaussianBlur(ink, (0, 0), float(rng.uniform(0.015, 0.06)) * body + 0.1).astype(np.float32) / 255
    )
    dark *= float(rng.uniform(0.55, 1.0))
    if rng.random() < 0.5:
        dark *= smooth_noise(
            rng, height, width, float(rng.uniform(0.4, 5)) * body, float(rng.uniform(0.5, 0.95)), 1.0
        )
    base = float(rng.uniform(150, 255))
    plane = base * (1 - dark * float(rng.uniform(0.75, 1.0)))
    if rng.random() < 0.35:
        shade = float(rng.uniform(0.72, 0.97))
        plane *= smooth_noise(rng, height, width, float(rng.uniform(1.5, 8)) * body, shade, 1.0)
    if rng.random() < 0.6:
        plane += fine_noise(rng, height, width, float(rng.uniform(1, 12)), float(rng.uniform(0, 1.2)))
    out = np.clip(plane, 0, 255).astype(np.uint8)
    return jpeg(out, rng) if rng.random() < 0.5 else out
