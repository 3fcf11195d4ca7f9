"""Rendered pages as training crops that fit in memory."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from bec_ldv1.page.scale import TILE
from linepages.ink import BETWEEN, IGNORED, LINE, PAPER, Gray
from linepages.page import TrainingPage, render

CROPS_PER_PAGE = 8
CELL = 4
"""The network answers once per 4 × 4 pixels."""
NEAR, UNKNOWN = 32, 64
CHUNK = 40
"""Pages per rendering task."""

Tile = tuple[Gray, Gray, tuple[int, int]]
"""Ink and label classes, 512 × 512, and how many of its rows and columns are page."""


@attrs.frozen(eq=False)
class Crops:
    """Tiles of rendered pages as training reads them.

    Attributes:
        ink: uint8 `(N, 512, 64)`, eight pixels a byte along the row, 1 = ink.
        goals: uint8 `(N, 128, 128)`, one per 4×4 pixels: how many of the 16 are line, plus the flags
            `NEAR` (most are paper next to a line) and `UNKNOWN` (some count for nothing).
        held: uint16 `(N, 2)`, how many rows and columns of the tile are page; what follows is padding.
        taught: uint8 `(N, 128, 128)`, a teacher's probability of line, 255 for one; None if there is no teacher.
    """

    ink: Gray
    goals: Gray
    held: NDArray[np.uint16]
    taught: Gray | None = None

    def __len__(self) -> int:
        return int(self.ink.shape[0])

    @classmethod
    def joined(cls, parts: list[Crops]) -> Crops:
        """Return several sets as one."""
        names = [field.name for field in attrs.fields(cls) if getattr(parts[0], field.name) is not None]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    @classmethod
    def of(cls, tiles: list[Tile]) -> Crops:
        """Return tiles packed."""
        size = TILE // CELL
        ink = np.zeros((len(tiles), TILE, TILE // 8), np.uint8)
        goals = np.zeros((len(tiles), size, size), np.uint8)
        for index, (dark, label, _) in enumerate(tiles):
            ink[index] = np.packbits(dark, axis=-1)
            cells = label.reshape(size, CELL, size, CELL)
            goal = (cells == LINE).sum(axis=(1, 3))
            goal += NEAR * ((cells == BETWEEN).sum(axis=(1, 3)) > 8)
            goals[index] = goal + UNKNOWN * (cells == IGNORED).any(axis=(1, 3))
        return cls(ink, goals, np.array([held for _, _, held in tiles], np.uint16).reshape(-1, 2))


def tiles_of(page: TrainingPage, rng: np.random.Generator, most: int = CROPS_PER_PAGE) -> list[Tile]:
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
        if ink.mean() < 0.002 and rng.random() < 0.8:
            continue  # bare paper teaches little
        tiles.append((ink, label, (part.shape[0], part.shape[1])))
    return tiles


def _render_chunk(job: tuple[int, int, str]) -> str:
    """Render pages `first` … `first + count - 1` into one file; an existing file is kept."""
    first, count, folder = job
    path = Path(folder) / f"crops-{first}-{count}.npz"
    if not path.exists():
        cv2.setNumThreads(1)
        tiles: list[Tile] = []
        for seed in range(first, first + count):
            tiles += tiles_of(render(seed), np.random.default_rng([seed, 1]))
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            crops = Crops.of(tiles)
            np.savez(file, ink=crops.ink, goals=crops.goals, held=crops.held)
        partial.rename(path)
    return str(path)


def fingerprint() -> str:
    """Return a short hash of the renderer's own code: pages of another renderer are not these pages."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name not in ("curve.py", "learn.py", "prune.py", "teacher.py"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def render_crops(folder: Path, pages: int, seed: int, processes: int) -> Iterator[Crops]:
    """Render `pages` pages (seeds `seed`, `seed + 1`, …) with several processes; yield their crops as they come.

    Args:
        folder: where chunks are kept, so that the next run with the same seeds does not render again.
    """
    folder = folder / f"pages-{fingerprint()}"
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        (first, min(CHUNK, seed + pages - first), str(folder)) for first in range(seed, seed + pages, CHUNK)
    ]
    with multiprocessing.get_context("spawn").Pool(processes, initializer=os.nice, initargs=(5,)) as pool:
        for path in pool.imap(_render_chunk, jobs):
            with np.load(path) as stored:
                yield Crops(stored["ink"], stored["goals"], stored["held"])
