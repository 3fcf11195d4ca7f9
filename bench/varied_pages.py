"""Write hand-checked pages anew as other scans of them might be, to see how steady a detector is.

    python bench/varied_pages.py TRUTH.jsonl IMAGES OUT
    bec ldv1 evaluate --truth OUT/lines.jsonl --images OUT

Each page three times: smaller (55 to 100 % of at most 3,000 px), turned (up to 1.6 degrees), sheared, blurred, noisy,
with another gamma and JPEG quality or, if it is bilevel, another threshold.
The true lines are moved along. One fixed seed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bec_ldv1.evaluation.pages import Polygon
from bec_ldv1.evaluation.readers import read_pages

COPIES = 3
LONGEST = 3000
POINT_DISTANCE = 200
"""Outlines get a point every so many pixels."""


def moved_lines(
    polygons: Sequence[Polygon], matrix: NDArray[np.float64]
) -> list[dict[str, list[list[float]]]]:
    """Polygons, each with many points, sent through an affine map: as rows of the truth have them."""
    moved = []
    for corners in polygons:
        dense: list[NDArray[np.float64]] = []
        for start, end in zip(corners.astype(float), np.roll(corners, -1, 0).astype(float), strict=True):
            steps = max(int(abs(end - start).max() // POINT_DISTANCE), 1)
            dense += [start + (end - start) * step / steps for step in range(steps)]
        points = np.array(dense) @ matrix[:, :2].T + matrix[:, 2]
        moved.append({"polygon": points.round(1).tolist()})
    return moved


def move(plane: NDArray[np.uint8], rng: np.random.Generator) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """A random affine map of the page about its centre, and the new page's width and height."""
    scale = min(1, LONGEST / max(plane.shape)) * rng.uniform(0.55, 1.0)
    angle, shear = np.deg2rad(rng.uniform(-1.6, 1.6)), rng.uniform(-0.02, 0.02)
    height, width = plane.shape
    size = int(width * scale), int(height * scale)
    matrix = np.array(
        [
            [np.cos(angle) * scale, (shear - np.sin(angle)) * scale, 0],
            [np.sin(angle) * scale, np.cos(angle) * scale, 0],
        ]
    )
    centre = matrix[:, :2] @ [width / 2, height / 2]
    matrix[:, 2] = [size[0] / 2 - centre[0], size[1] / 2 - centre[1]]
    return matrix, size


def wear(plane: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change gamma, sharpness and noise."""
    worn = 255 * (plane.astype(np.float32) / 255) ** rng.uniform(0.75, 1.35)
    if rng.random() < 0.5:
        worn = np.asarray(cv2.GaussianBlur(worn, (0, 0), rng.uniform(0.4, 0.9)))
    worn += rng.normal(0, rng.uniform(1, 6), worn.shape)
    return np.clip(worn, 0, 255).astype(np.uint8)


def main() -> None:
    """Write the pages and their truth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    Image.MAX_IMAGE_PIXELS = None
    rng = np.random.default_rng(0)
    with (options.out / "lines.jsonl").open("w", encoding="utf-8") as file:
        for page in read_pages(options.truth):
            with Image.open(options.images / page.image) as image:
                bilevel, plane = image.mode == "1", np.asarray(image.convert("L"))
            for copy in range(COPIES):
                matrix, size = move(plane, rng)
                ground = 255 if bilevel else int(np.median(plane))
                how = cv2.INTER_AREA if size[0] < 0.7 * plane.shape[1] else cv2.INTER_LINEAR
                moved = cv2.warpAffine(plane, matrix, size, flags=how, borderValue=(ground,))
                worn = wear(np.asarray(moved, np.uint8), rng)
                name = f"{Path(page.image).stem}__{copy}.{'png' if bilevel else 'jpg'}"
                if bilevel:
                    Image.fromarray(worn > rng.uniform(100, 170)).save(options.out / name)
                else:
                    Image.fromarray(worn).save(options.out / name, quality=int(rng.integers(30, 85)))
                row = {
                    "image": name,
                    "size": size,
                    "script": page.script,
                    "lines": moved_lines(page.regions, matrix),
                    "margin": moved_lines(page.ignore, matrix),
                }
                print(json.dumps(row), file=file)


if __name__ == "__main__":
    main()
