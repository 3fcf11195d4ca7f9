"""How pages lie on the scanner: turned, bowed, waved, stretched."""

from __future__ import annotations

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float32]


@attrs.frozen
class Bend:
    """How a page lies on the scanner: degrees, and amplitudes in pixels."""

    angle: float = 0.0
    bow: float = 0.0
    waves: tuple[tuple[float, float, float], ...] = ()
    elastic: float = 0.0
    grain: float = 60.0


def draw_bend(rng: np.random.Generator, height: int, width: int, pitch: float) -> Bend:
    """Choose a bend: usually slight, sometimes up to 3° or clearly curved."""
    angle = float(rng.normal(0, 0.4)) if rng.random() < 0.8 else float(rng.uniform(-3, 3))
    if width > 2.5 * height:
        # A long leaf turned by 3° would leave its sheet; its scans are cropped to the leaf.
        angle = float(np.clip(angle, -1.2, 1.2)) if rng.random() < 0.7 else angle
    curved = rng.random() < 0.3
    waves = tuple(
        (float(rng.normal(0, 0.12)) * pitch, float(rng.uniform(0.5, 3)), float(rng.uniform(0, 6.3)))
        for _ in range(2 if curved else 0)
    )
    return Bend(
        angle=angle,
        bow=float(rng.normal(0, 0.35)) * pitch if curved else 0.0,
        waves=waves,
        elastic=float(rng.uniform(0, 0.035)) * pitch if rng.random() < 0.4 else 0.0,
        grain=float(rng.uniform(0.5, 2.0)) * pitch,
    )


def bend_maps(bend: Bend, height: int, width: int, rng: np.random.Generator) -> tuple[Real, Real]:
    """Return `cv2.remap`'s maps: for every pixel of the scan the place on the sheet, `(H, W)` each."""
    step = 16
    rows, columns = height // step + 2, width // step + 2
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) * step
    u, v = x - width / 2, y - height / 2
    turn = np.deg2rad(bend.angle)
    sheet_x = np.cos(turn) * u - np.sin(turn) * v + width / 2
    sheet_y = np.sin(turn) * u + np.cos(turn) * v + height / 2
    along = 2 * u / max(width, 1)
    sheet_y += bend.bow * (along**2 - 0.4)
    for amplitude, cycles, phase in bend.waves:
        sheet_y += amplitude * np.sin(cycles * np.pi * along + phase)
    if bend.elastic:
        cells = (max(int(height / bend.grain), 2), max(int(width / bend.grain), 2))
        for target in (sheet_x, sheet_y):
            field = rng.normal(0, bend.elastic, cells).astype(np.float32)
            target += cv2.resize(field, (columns, rows), interpolation=cv2.INTER_CUBIC)
    big = (columns * step, rows * step)
    # Resizing puts cell centres half a step in; shift so that grid points stay where they are.
    shift = np.array([[step, 0, 0], [0, step, 0]], np.float32)

    def full(field: Real) -> Real:
        grown = cv2.warpAffine(
            field.astype(np.float32), shift, big, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(grown[:height, :width], np.float32).copy()

    return full(sheet_x), full(sheet_y)
