"""Whole lines drawn on the page as it was scanned hit the ink: the sample pages, turned and bent, there and back.

The samples say where their lines are. Here they are laid down askew and bowed, so that a second pass and a spline
are needed, and what the box model finds must lie on the lines as they are on *that* image.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from bec_ldv1.lines import Line
from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.engine import Engine
from bec_ldv1.page.decode import upright
from bec_ldv1.page.flags import Flag
from bec_ldv1.page.orientation import to_stored
from bec_ldv1.record.details import PageDetails
from support.sample_pages import BOOK, PECHA, askew, image_file, look, sample

WITHIN = 0.7


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(load_model()) as engine:
        yield engine


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
    record = look(engine, image_file(seen))
    details = record.details
    assert details is not None
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
    details = look(engine, image_file(stored, orientation)).details
    assert details is not None
    assert (details.width, details.height) == (stored.shape[1], stored.shape[0])
    there = [to_stored(move(centre), orientation, width, height) for centre in centres]
    check(details, there, heights)
