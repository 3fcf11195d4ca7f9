"""Paper, wood and what happens to them: noise, fading, stains, shadows, edges."""

from __future__ import annotations

import cv2
import numpy as np

from linepages.bend import Bend, Real, bend_maps
from linepages.ink import Gray


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, cell: float, low: float, high: float
) -> Real:
    """Return a smooth random field between `low` and `high`, with features `cell` pixels wide."""
    cells = (max(int(height / cell), 2), max(int(width / cell), 2))
    field = rng.uniform(low, high, cells).astype(np.float32)
    return np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def fine_noise(rng: np.random.Generator, height: int, width: int, sigma: float, blur: float) -> Real:
    """Return Gaussian noise of standard deviation `sigma`, with grains `blur` pixels wide."""
    noise = np.empty((height, width), np.float32)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(noise, np.zeros(1), np.ones(1))
    if blur > 0.3:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur), np.float32)
        sigma /= max(float(noise[::7, ::7].std()), 1e-3)
    noise *= sigma
    return noise


def fading(rng: np.random.Generator, height: int, width: int, bilevel: bool) -> Real:
    """Return how much of the ink is left, place by place; who scans in one bit sees to it that most is."""
    if bilevel and rng.random() < 0.75:
        return np.full((height, width), float(rng.uniform(0.8, 1.0)), np.float32)
    strength = float(rng.choice([1.0, rng.uniform(0.5, 1.0), rng.uniform(0.25, 0.6)], p=[0.45, 0.4, 0.15]))
    if rng.random() < 0.6:
        return np.full((height, width), strength, np.float32)
    floor = float(rng.uniform(0.15, 0.9))
    return strength * smooth_noise(rng, height, width, float(rng.uniform(0.15, 0.8)) * height, floor, 1.0)


def blots(rng: np.random.Generator, height: int, width: int) -> Real:
    """Return a darkening field in [0, 1] of stains: round, ragged, soft or with an edge."""
    field = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        mask = np.zeros((height // 4 + 1, width // 4 + 1), np.float32)
        centre = (int(rng.uniform(0, width / 4)), int(rng.uniform(0, height / 4)))
        axes = (int(rng.uniform(0.02, 0.25) * height) + 1, int(rng.uniform(0.02, 0.15) * height) + 1)
        cv2.ellipse(mask, centre, axes, int(rng.integers(180)), 0, 360, 1.0, -1)
        mask = np.asarray(
            cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(1, 0.05 * height + 2))), np.float32
        )
        big = np.asarray(cv2.resize(mask, (width, height)), np.float32)
        np.maximum(field, big * float(rng.uniform(0.1, 0.8)), out=field)
    return field


def edge_shadow(rng: np.random.Generator, height: int, width: int) -> Real:
    """Return a darkening field in [0, 1]: grime along the edges and gradients across the page."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    reach = float(rng.uniform(0.01, 0.15))
    sides = [
        np.exp(-y / reach),
        np.exp(-(1 - y) / reach),
        np.exp(-x / reach * 4),
        np.exp(-(1 - x) / reach * 4),
    ]
    field = np.zeros((height, width), np.float32)
    for side in sides:
        if rng.random() < 0.5:
            field = np.maximum(field, side * float(rng.uniform(0.1, 0.9)))
    return field * smooth_noise(rng, height, width, 0.2 * height, 0.2, 1.0)


def bed(plane: Real, rng: np.random.Generator, unit: float) -> None:
    """Lay the leaf on the scanner's bed: outside a slightly bent outline it is dark, grey or white (in place)."""
    height, width = plane.shape
    inset = rng.uniform(0, 0.06, 4) * np.array([height, width, height, width]) * np.array([1, 0.3, 1, 0.3])
    steps = 24
    along = np.linspace(0, 1, steps)
    wobble = np.cumsum(rng.normal(0, 0.6 * unit, (4, steps)), axis=1)
    top = np.stack([along * width, inset[0] + wobble[0]], axis=1)
    right = np.stack([width - inset[1] + wobble[1], along * height], axis=1)
    bottom = np.stack([(1 - along) * width, height - inset[2] + wobble[2]], axis=1)
    left = np.stack([inset[3] + wobble[3], (1 - along) * height], axis=1)
    outline = np.round(np.concatenate([top, right, bottom, left])).astype(np.int32)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [outline], 255)
    bed = float(rng.choice([10.0, 40.0, 90.0, 240.0]))
    soft = cv2.GaussianBlur(inside, (0, 0), float(rng.uniform(0.6, 3)) * unit).astype(np.float32) / 255
    plane *= soft
    plane += bed * (1 - soft)


def paper(rng: np.random.Generator, height: int, width: int) -> Real:
    """Return bare paper: brightness 70–250, uneven, with fibres."""
    base = float(
        rng.choice([rng.uniform(225, 252), rng.uniform(150, 225), rng.uniform(75, 150)], p=[0.4, 0.4, 0.2])
    )
    plane = smooth_noise(rng, height, width, float(rng.uniform(0.1, 1.0)) * height, 0.93 * base, 1.04 * base)
    if rng.random() < 0.4:
        fibres = fine_noise(rng, height, width // 6 + 1, float(rng.uniform(1, 6)), 0.0)
        plane += cv2.resize(fibres, (width, height), interpolation=cv2.INTER_LINEAR)
    return plane


def wood(rng: np.random.Generator, height: int, width: int) -> Gray:
    """Return a wooden or cloth cover: grain along the width, knots, gradients."""
    base = float(rng.uniform(60, 200))
    plane = np.full((height, width), base, np.float32)
    for _ in range(3):
        stretch = int(rng.integers(4, 60))
        thick = float(rng.choice([0.6, 1.0, 2.0, 5.0]))
        grain = fine_noise(
            rng, max(int(height / thick), 2), width // stretch + 2, float(rng.uniform(3, 22)), 0.0
        )
        plane += cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    plane += fine_noise(rng, height, width, float(rng.uniform(2, 10)), float(rng.uniform(0, 1)))
    plane *= 1 - 0.6 * edge_shadow(rng, height, width)
    if rng.random() < 0.5:
        bend = bend_maps(Bend(elastic=0.04 * height, grain=0.5 * height), height, width, rng)
        plane = np.asarray(
            cv2.remap(plane, *bend, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32
        )
    if rng.random() < 0.3:
        plane = (
            np.rot90(plane[: min(height, width), : min(height, width)]) if height == width else plane[::-1]
        )
    if rng.random() < 0.5:
        y0, y1 = sorted(rng.uniform(0, height, 2).astype(int))
        x0, x1 = int(rng.uniform(0, 0.1) * width), int(rng.uniform(0.9, 1) * width)
        plane[y0:y1, x0:x1] = paper(rng, max(y1 - y0, 1), max(x1 - x0, 1))[: y1 - y0, : x1 - x0]
    if rng.random() < 0.6:
        bed(plane, rng, 1.5)
    return np.clip(plane, 0, 255).astype(np.uint8)
