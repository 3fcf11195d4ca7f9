"""Drawn maps and pages whose lines are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from bec_ldv1.lines import Line, LineSettings, assemble_lines

Curve = Callable[[float], float]


class Canvas:
    """A page under construction: the network's map and the ink that belongs to it."""

    def __init__(self, width: int = 2048, height: int = 512) -> None:
        self.map = np.zeros((height, width), np.float32)
        self.ink = np.full((height, width), 255, np.uint8)

    def line(
        self, y: float | Curve, x0: int = 200, x1: int = 1850, *, body: int = 24, value: float = 0.97
    ) -> Canvas:
        """A band with the centre ``y`` and letters (vertical strokes every 8 px) in it."""
        course: Curve = y if callable(y) else lambda _: y
        for x in range(x0, x1):
            middle = course(x)
            top, bottom = round(middle - body / 2), round(middle + body / 2)
            self.map[top:bottom, x] = value
            if (x // 3) % 3 == 0:
                self.ink[top + 2 : bottom - 2, x] = 0
        return self

    def blob(self, x0: int, y0: int, x1: int, y1: int, value: float = 0.9) -> Canvas:
        self.map[y0:y1, x0:x1] = value
        return self

    def draw(self, x0: int, y0: int, x1: int, y1: int) -> Canvas:
        self.ink[y0:y1, x0:x1] = 0
        return self

    def lines(self, settings: LineSettings | None = None) -> list[Line]:
        soft = np.asarray(cv2.GaussianBlur(self.map, (0, 0), 2), np.float32)
        return assemble_lines(soft, self.ink, settings or LineSettings())


def middles(lines: Sequence[Line]) -> list[float]:
    return [round(float(line.baseline[:, 1].mean())) for line in lines]


def extent(line: Line) -> tuple[float, float]:
    return float(line.polygon[:, 0].min()), float(line.polygon[:, 0].max())
