"""Rendered pages as training crops in memory: three bits a pixel."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import cv2
import numpy as np

from bec_ldv1.scale import TILE
from linepages.ink import PAPER, Gray
from linepages.page import TrainingPage, render

CROPS_PER_PAGE = 5
CHUNK = 40
"""Pages per rendering task."""


@attrs.frozen(eq=False)
class Crops:
    """Tiles of rendered pages, packed along the row: bit planes (ink, label bit 0, label bit 1).

    Attributes:
        packed: uint8, `(N, 3, 512, 64)`.
    """

    packed: Gray

    def __len__(self) -> int:
        return int(self.packed.shape[0])

    def unpack(self, index: int) -> tuple[Gray, Gray]:
        """Return one tile's ink (1 = ink) and label classes, `(512, 512)` uint8 each."""
        bits = np.unpackbits(self.packed[index], axis=-1)
        return bits[0], bits[1] | (bits[2] << 1)


def tiles_of(
    page: TrainingPage, rng: np.random.Generator, most: int = CROPS_PER_PAGE
) -> list[tuple[Gray, Gray]]:
    """Cut a page into at most `most` tiles: half on the detector's own grid, half anywhere on it."""
    height, width = page.plane.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    grid = [(row * TILE, column * TILE) for row in range(rows) for column in range(columns)]
    count = min(most, len(grid))
    chosen = [grid[int(index)] for index in rng.choice(len(grid), size=(count + 1) // 2, replace=False)]
    for _ in range(count - len(chosen)):
        y = int(rng.integers(0, max(height - TILE, 0) + 1))
        chosen.append((y, int(rng.integers(0, max(width - TILE, 0) + 1))))
    tiles = []
    for y, x in chosen:
        ink = np.zeros((TILE, TILE), np.uint8)
        label = np.full((TILE, TILE), PAPER, np.uint8)
        part = page.plane[y : y + TILE, x : x + TILE]
        ink[: part.shape[0], : part.shape[1]] = part == 0
        label[: part.shape[0], : part.shape[1]] = page.labels[y : y + TILE, x : x + TILE]
        tiles.append((ink, label))
    return tiles


def pack(tiles: list[tuple[Gray, Gray]]) -> Gray:
    """Return tiles as `Crops.packed`."""
    planes = np.stack([np.stack([ink, label & 1, label >> 1]) for ink, label in tiles])
    return np.packbits(planes, axis=-1)


def _render_chunk(job: tuple[int, int, str]) -> str:
    """Render pages `first` … `first + count - 1` into one file; an existing file is kept."""
    first, count, folder = job
    path = Path(folder) / f"crops-{first}-{count}.npy"
    if not path.exists():
        cv2.setNumThreads(1)
        tiles: list[tuple[Gray, Gray]] = []
        for seed in range(first, first + count):
            tiles += tiles_of(render(seed), np.random.default_rng([seed, 1]))
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, pack(tiles))
        partial.rename(path)
    return str(path)


def render_crops(folder: Path, pages: int, seed: int, processes: int) -> Iterator[Crops]:
    """Render `pages` pages (seeds `seed`, `seed + 1`, …) with several processes; yield their crops as they come.

    Args:
        folder: where chunks are kept, so that the next run with the same seeds does not render again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        (first, min(CHUNK, seed + pages - first), str(folder)) for first in range(seed, seed + pages, CHUNK)
    ]
    with multiprocessing.get_context("spawn").Pool(processes, initializer=os.nice, initargs=(5,)) as pool:
        for path in pool.imap(_render_chunk, jobs):
            yield Crops(np.load(path))
