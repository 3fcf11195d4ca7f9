"""The sample pages, laid down askew and bowed, and what the box model finds on them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bec_ldv1.network.engine import Engine
from bec_ldv1.page.detect import detect_page
from bec_ldv1.record.make import page_record
from bec_ldv1.record.records import PageRecord
from support.places import SAMPLES

TRUTH = {
    row["image"].split("/")[-2][-1] + "/" + Path(row["image"]).stem: row
    for row in map(json.loads, (SAMPLES / "lines.jsonl").read_text().splitlines())
}
PECHA, BOOK = "1/0002", "2/0002"

Move = Callable[[np.ndarray], np.ndarray]
"""Points x, y of the sample to points of the image that is made of it."""


def sample(name: str) -> tuple[np.ndarray, list[np.ndarray], list[float]]:
    """A sample's grey plane, its lines' centre lines, and the heights of their letters' bodies."""
    row = TRUTH[name]
    plane = np.array(Image.open(SAMPLES / row["image"]).convert("L"))
    centres, heights = [], []
    for line in row["lines"]:
        polygon = np.array(line["polygon"], np.float64)
        half = len(polygon) // 2
        upper, lower = polygon[:half], polygon[half:][::-1]
        centres.append((upper + lower) / 2)
        heights.append(float((lower - upper)[:, 1].mean()))
    return plane, centres, heights


def askew(plane: np.ndarray, degrees: float, bow: float) -> tuple[np.ndarray, Move]:
    """The page on a larger sheet, turned about its middle and with its middle bowed up by `bow` px."""
    high, wide = 120 + round(abs(bow)), 60
    plane = cv2.copyMakeBorder(plane, high, high, wide, wide, cv2.BORDER_REPLICATE)
    height, width = plane.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    back = cv2.invertAffineTransform(matrix)

    def sag(x: np.ndarray) -> np.ndarray:
        return -bow * (1 - ((x - width / 2) / (width / 2)) ** 2)

    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    x = back[0, 0] * columns + back[0, 1] * rows + back[0, 2]
    y = back[1, 0] * columns + back[1, 1] * rows + back[1, 2]
    seen = cv2.remap(
        plane, x.astype(np.float32), (y - sag(x)).astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip

    def move(points: np.ndarray) -> np.ndarray:
        moved = points + np.array([wide, high])
        moved[:, 1] += sag(moved[:, 0])
        return moved @ matrix[:, :2].T + matrix[:, 2]

    return seen, move


def image_file(plane: np.ndarray, orientation: int = 1) -> bytes:
    """A PNG of the plane, which says of itself that it has to be turned."""
    exif = Image.Exif()
    exif[274] = orientation
    out = io.BytesIO()
    Image.fromarray(plane).save(out, "PNG", exif=exif)
    return out.getvalue()


def look(engine: Engine, data: bytes) -> PageRecord:
    """The page's record with its whole lines, as a job writes it."""
    return page_record("1.png", "", detect_page(data, engine))
