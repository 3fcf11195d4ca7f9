"""Pages with one drawn line that is level, askew or bowed, and image files of them."""

import math
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT, HALF = 1_400, 500, 24
X = np.linspace(100, 1_300, 41)


def course(degrees: float = 0.0, bow: float = 0.0) -> np.ndarray:
    middle = 250 + (X - 700) * math.tan(math.radians(degrees)) + bow * (1 - ((X - 700) / 600) ** 2)
    return np.column_stack((X, middle))


def outline(points: np.ndarray, half: float = HALF) -> np.ndarray:
    return np.vstack((points - np.array([0, half]), (points + np.array([0, half]))[::-1]))


def drawn(points: np.ndarray, *, beside: bool = False) -> np.ndarray:
    """Grey paper with a stroke 8 px thick along the course, and letters' feet standing square on it."""
    plane = np.full((HEIGHT, WIDTH), 200, np.uint8)
    fine = np.column_stack(
        [np.interp(np.arange(100, 1_300), points[:, 0], points[:, axis]) for axis in (0, 1)]
    )
    cv2.polylines(plane, [np.rint(fine).astype(np.int32)], False, 20, 8, cv2.LINE_AA)
    for at in range(30, 1_170, 60):
        tangent = fine[at + 5] - fine[at - 5]
        down = np.array([-tangent[1], tangent[0]]) / np.hypot(*tangent)
        ends = np.rint([fine[at], fine[at] + 20 * down]).astype(np.int32)
        cv2.line(plane, ends[0].tolist(), ends[1].tolist(), 20, 4, cv2.LINE_AA)
    if beside:
        other = np.rint(fine + np.array([0, 2 * HALF - 4])).astype(np.int32)
        cv2.polylines(plane, [other], False, 20, 10)
    return plane


def stored(plane: np.ndarray, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    image = Image.fromarray(plane)
    image = image.transpose(turns[orientation]) if orientation > 1 else image
    out = BytesIO()
    image.save(out, "PNG", exif=exif)
    return out.getvalue()
