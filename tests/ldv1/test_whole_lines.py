"""Whole lines drawn on the page as it was scanned hit the ink: the sample pages, turned and bent, there and back.

The samples say where their lines are. Here they are laid down askew and bowed, so that a second pass and a spline
are needed, and what the box model finds must lie on the lines as they are on *that* image.
"""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bec_ldv1.decode import upright
from bec_ldv1.details import Flag, PageDetails
from bec_ldv1.engine import Engine
from bec_ldv1.lines import Line
from bec_ldv1.model.checkpoint import load_model
from bec_ldv1.orientation import to_stored
from bec_ldv1.page import Detection, detect_page
from bec_ldv1.records import PageRecord
from bec_ldv1.whole_lines import page_details
from support.places import SAMPLES

TRUTH = {
    row["image"].split("/")[-2][-1] + "/" + Path(row["image"]).stem: row
    for row in map(json.loads, (SAMPLES / "lines.jsonl").read_text().splitlines())
}
PECHA, BOOK = "1/0002", "2/0002"
WITHIN = 0.7

Move = Callable[[np.ndarray], np.ndarray]
"""Points x, y of the sample to points of the image that is made of it."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(load_model()) as engine:
        yield engine


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


def look(engine: Engine, plane: np.ndarray, orientation: int = 1) -> tuple[PageRecord, PageDetails]:
    exif = Image.Exif()
    exif[274] = orientation
    out = io.BytesIO()
    Image.fromarray(plane).save(out, "PNG", exif=exif)
    seen: list[Detection] = []
    record = detect_page("1.png", out.getvalue(), "", engine, observe=seen.append)
    return record, page_details(seen[0], engine.model)


def fine(points: np.ndarray) -> np.ndarray:
    """Two hundred points along a polyline."""
    places = np.linspace(0, len(points) - 1, 200)
    return np.column_stack([np.interp(places, np.arange(len(points)), points[:, axis]) for axis in (0, 1)])


def covered(line: Line, centre: np.ndarray) -> float:
    """The share of a centre line that lies inside the line's outline."""
    inside = [cv2.pointPolygonTest(line.polygon, point, False) >= 0 for point in fine(centre).tolist()]
    return float(np.mean(inside))


def astray(line: Line, centre: np.ndarray) -> float:
    """How far from a centre line nine tenths of the line's course stay at most, in px."""
    apart = fine(line.baseline)[:, None] - fine(centre)[None]
    return float(np.percentile(np.hypot(apart[..., 0], apart[..., 1]).min(axis=1), 90))


def check(details: PageDetails, centres: list[np.ndarray], heights: list[float]) -> None:
    """Every true line has a line of its own that lies on it, in reading order."""
    found = [max(range(len(details.lines)), key=lambda n: covered(details.lines[n], c)) for c in centres]
    assert found == sorted(set(found))
    lines = [details.lines[number] for number in found]
    shares = [covered(line, centre) for line, centre in zip(lines, centres, strict=True)]
    assert min(shares) >= WITHIN, shares
    offsets = [
        astray(line, centre) / height for line, centre, height in zip(lines, centres, heights, strict=True)
    ]
    assert max(offsets) < 0.4, offsets


@pytest.mark.parametrize(
    ("name", "degrees", "bow"),
    [
        *((name, degrees, 0) for name in (PECHA, BOOK) for degrees in (0, -1.5, 4, -4)),
        *((PECHA, degrees, bow) for degrees, bow in ((0, 330), (4, 330), (-4, -330))),
    ],
)
def test_lines_hit_the_ink_of_the_page_as_scanned(engine, name, degrees, bow):
    plane, centres, heights = sample(name)
    seen, move = askew(plane, degrees, bow)
    record, details = look(engine, seen)
    assert (details.width, details.height) == (seen.shape[1], seen.shape[0])
    check(details, [move(centre) for centre in centres], heights)
    assert (record.tps_points is not None) == bool(bow)
    assert (Flag.CURVED in details.flags) == bool(bow)
    if not bow:
        assert len(details.lines) == len(centres)
        assert (Flag.ROTATED in details.flags) == (abs(degrees) >= 1)
        assert (record.rotation_angle or 0.0) == pytest.approx(-degrees, abs=0.3)


@pytest.mark.parametrize("orientation", [3, 6, 8, 5])
def test_pages_that_are_stored_turned(engine, orientation):
    plane, centres, heights = sample(PECHA)
    seen, move = askew(plane, 4, 0)
    height, width = seen.shape
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    stored = upright(seen, inverse)
    _, details = look(engine, stored, orientation)
    assert (details.width, details.height) == (stored.shape[1], stored.shape[0])
    there = [to_stored(move(centre), orientation, width, height) for centre in centres]
    check(details, there, heights)
