"""What happens to single pages of a volume: laid down turned, scanned too dark, too small, cut off, spoilt.

A page is its grey plane and its regions, each points × 2 (x, y); what a ruin does to the plane it does to the regions.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from linepages.ink import Gray

Points = NDArray[np.float64]


@attrs.frozen(eq=False)
class RuinedPage:
    """A page's plane, whether it is black and white, its true lines' regions and those that don't count."""

    plane: Gray
    bilevel: bool
    lines: list[Points]
    margin: list[Points]

    def moved(self, plane: Gray, matrix: Points) -> RuinedPage:
        """The page with another plane and its regions sent through an affine map, 2 × 3."""
        lines, margin = (
            [points @ matrix[:, :2].T + matrix[:, 2] for points in regions]
            for regions in (self.lines, self.margin)
        )
        return RuinedPage(plane, self.bilevel, lines, margin)


Ruin = Callable[[RuinedPage, np.random.Generator], RuinedPage]


def turned(page: RuinedPage, quarters: int) -> RuinedPage:
    """The page turned counter-clockwise by quarter turns."""
    for _ in range(quarters):
        width = page.plane.shape[1]
        matrix = np.array([[0.0, 1, 0], [-1, 0, width - 1]])
        page = page.moved(np.ascontiguousarray(np.rot90(page.plane)), matrix)
    return page


def upside_down(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Laid down the wrong way round."""
    return turned(page, 2)


def sideways(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Laid down on its left or right side."""
    return turned(page, int(rng.choice([1, 3])))


def dark(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Exposed too little; a black and white page stays as it is."""
    if page.bilevel:
        return page
    return attrs.evolve(page, plane=(page.plane * rng.uniform(0.3, 0.75)).astype(np.uint8))


def pale(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Ink and paper brought near to each other."""
    if page.bilevel:
        return page
    paper = float(np.percentile(page.plane, 80))
    plane = paper + (page.plane.astype(np.float32) - paper) * rng.uniform(0.15, 0.5)
    return attrs.evolve(page, plane=np.clip(plane, 0, 255).astype(np.uint8))


def small(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Scanned at a half to a sixth of the resolution."""
    scale = float(rng.uniform(0.16, 0.5))
    height, width = page.plane.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    plane = np.asarray(cv2.resize(page.plane, size, interpolation=cv2.INTER_AREA), np.uint8)
    if page.bilevel:
        plane = np.where(plane > 150, 255, 0).astype(np.uint8)
    return page.moved(plane, np.array([[size[0] / width, 0, 0], [0, size[1] / height, 0]]))


def two_colours(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Thresholded by Otsu's rule, a little off it."""
    level, _ = cv2.threshold(page.plane, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    plane = np.where(page.plane > level + rng.uniform(-15, 25), 255, 0).astype(np.uint8)
    return attrs.evolve(page, plane=plane, bilevel=True)


def blurred(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Out of focus, or shaken along the page."""
    unit = page.plane.shape[0] / 512 if page.plane.shape[1] > 2 * page.plane.shape[0] else 1.5
    sigma = float(rng.uniform(1.5, 5)) * unit
    across = sigma * float(rng.choice([1.0, 0.3]))
    plane = np.asarray(cv2.GaussianBlur(page.plane, (0, 0), sigmaX=sigma, sigmaY=across), np.uint8)
    if page.bilevel:
        plane = np.where(plane > 140, 255, 0).astype(np.uint8)
    return attrs.evolve(page, plane=plane)


def skewed(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Laid down askew by two to ten degrees."""
    angle = float(rng.uniform(2, 10)) * float(rng.choice([-1, 1]))
    height, width = page.plane.shape
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0), np.float64)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = round(width * cos + height * sin), round(width * sin + height * cos)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    ground = 255 if page.bilevel else int(np.median(page.plane))
    plane = np.asarray(cv2.warpAffine(page.plane, matrix, size, borderValue=(ground,)), np.uint8)
    if page.bilevel:
        plane = np.where(plane > 127, 255, 0).astype(np.uint8)
    return page.moved(plane, matrix)


def stained(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Large dark stains over a part of the page."""
    plane = page.plane.astype(np.float32)
    height, width = plane.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for _ in range(int(rng.integers(1, 4))):
        cx, cy = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height
        rx, ry = rng.uniform(0.05, 0.2) * width, rng.uniform(0.2, 0.6) * height
        away = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2
        plane *= 1 - rng.uniform(0.5, 0.95) * np.clip(1.6 - away, 0, 1)
    plane = np.where(plane > 110, 255, 0) if page.bilevel else plane
    return attrs.evolve(page, plane=np.clip(plane, 0, 255).astype(np.uint8))


def worn_off(page: RuinedPage, rng: np.random.Generator) -> RuinedPage:
    """Ink lost in patches, as on rubbed leaves or under a hand that moved."""
    height, width = page.plane.shape
    noise = rng.normal(0, 1, (height // 24 + 2, width // 24 + 2)).astype(np.float32)
    noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.5), np.float32)
    veil = np.asarray(cv2.resize(noise / noise.std(), (width, height)), np.float32)
    cover = np.clip((veil - rng.uniform(-0.5, 0.8)) * 2, 0, 0.96)
    paper = 255.0 if page.bilevel else float(np.percentile(page.plane, 80))
    plane = page.plane + (paper - page.plane.astype(np.float32)) * cover
    if page.bilevel:
        plane = np.where(plane + rng.normal(0, 40, plane.shape) > 140, 255, 0)
    return attrs.evolve(page, plane=np.clip(plane, 0, 255).astype(np.uint8))


RUINS: dict[str, Ruin] = {
    "upside-down": upside_down,
    "sideways": sideways,
    "dark": dark,
    "pale": pale,
    "small": small,
    "two-colours": two_colours,
    "blurred": blurred,
    "skewed": skewed,
    "stained": stained,
    "worn-off": worn_off,
}
"""Every ruin by its name."""
