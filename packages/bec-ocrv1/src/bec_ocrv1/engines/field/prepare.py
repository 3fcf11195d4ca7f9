"""A line's image as models of the field were trained to see it.

A square of white as high as the line stands on its left and right; the whole is scaled with its proportions into the
model's input and the rest is white; ink is -1 and paper is 1, nothing between.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
_WHITE = 255


def prepared(line: Plane, width: int, height: int) -> npt.NDArray[np.float32]:
    """The line in ``height`` × ``width`` values of -1 and 1.

    It stands at the left and in the middle of the height. The threshold is Otsu's, of the scaled line without the
    white around it, which would draw the threshold between paper and white; an image of one value is paper.
    """
    canvas = np.full((height, width), _WHITE, np.uint8)
    rows, columns = line.shape
    if rows and columns:
        scale = min(width / (columns + 2 * rows), height / rows)
        size = (min(width, max(1, round(columns * scale))), min(height, max(1, round(rows * scale))))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = _black_and_white(np.asarray(cv2.resize(line, size, interpolation=way), np.uint8))
        left = min(width - size[0], round(rows * scale))
        top = (height - size[1]) // 2
        canvas[top : top + size[1], left : left + size[0]] = small
    return canvas.astype(np.float32) / np.float32(127.5) - np.float32(1)


def _black_and_white(plane: Plane) -> Plane:
    if plane.min() == plane.max():
        return np.full_like(plane, _WHITE)
    _, binary = cv2.threshold(plane, 0, _WHITE, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return np.asarray(binary, np.uint8)
