"""Pages drawn with a few strokes, for tests that need no letters."""

import numpy as np


def written(paper: int, ink: int, *, height: int = 512, width: int = 1800, lines: int = 6) -> np.ndarray:
    """Lines of upright strokes that hang from head lines: uint8 height × width."""
    page = np.full((height, width), paper, np.uint8)
    pitch = height // lines
    for line in range(lines):
        top = line * pitch + pitch // 4
        for x in range(60, width - 60, 40):
            page[top : top + 5, x : x + 30] = ink
            page[top : top + pitch // 2, x + 12 : x + 17] = ink
    return page


def noise(page: np.ndarray, sigma: float) -> np.ndarray:
    """The page with a scanner's noise, one fixed seed."""
    worn = page + np.random.default_rng(0).normal(0, sigma, page.shape)
    return np.clip(np.rint(worn), 0, 255).astype(np.uint8)
