import io
import math
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bec_ldv1.errors import PageProblem
from bec_ldv1.network.engine import Engine
from bec_ldv1.network.line_model import LineModel, Precision
from bec_ldv1.page.contours import Postprocess
from bec_ldv1.page.detect import detect_page
from bec_ldv1.record.make import page_record
from bec_ldv1.record.records import PageRecord


class InkIsLine(nn.Module):
    """Calls every black pixel a line, and counts its passes."""

    tiles = 0

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        self.tiles += len(batch)
        return (0.5 - batch) * 40


@pytest.fixture
def engine() -> Iterator[Engine]:
    model = LineModel(InkIsLine(), 1, "ink", "00", Postprocess(), torch.device("cpu"), Precision.FLOAT32)
    with Engine(model) as engine:
        yield engine


def tiles_seen(engine: Engine) -> int:
    assert isinstance(engine.model.network, InkIsLine)
    return engine.model.network.tiles


def png(plane: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(plane).save(out, "PNG", **options)
    return out.getvalue()


def white(width: int, height: int) -> np.ndarray:
    return np.full((height, width), 255, np.uint8)


def band(plane: np.ndarray, course: np.ndarray, thickness: int) -> None:
    """Draw a black band along points x, y."""
    half = np.array([0, thickness / 2])
    outline = np.vstack((course - half, (course + half)[::-1]))
    cv2.fillPoly(plane, [np.rint(outline).astype(np.int32)], 0)


def skewed(width: int, height: int, degrees: float, middles: tuple[int, ...], thickness: int) -> np.ndarray:
    """Bands that fall to the right by so many degrees and cross the page's middle at these heights."""
    plane = white(width, height)
    x = np.array([0.1 * width, 0.9 * width])
    for middle in middles:
        y = middle + (x - width / 2) * math.tan(math.radians(degrees))
        band(plane, np.column_stack((x, y)), thickness)
    return plane


def bowed(width: int, height: int, sag: float, middles: tuple[int, ...], thickness: int) -> np.ndarray:
    plane = white(width, height)
    x = np.linspace(0.05 * width, 0.95 * width, 200)
    for middle in middles:
        y = middle + sag * (0.5 - ((x - width / 2) / (0.45 * width)) ** 2)
        band(plane, np.column_stack((x, y)), thickness)
    return plane


def spans(record: PageRecord) -> list[tuple[int, int]]:
    """Top and bottom of every contour, from top to bottom."""
    assert record.contours is not None
    return sorted((int(c[:, 1].min()), int(c[:, 1].max())) for c in record.contours)


def record_of(data: bytes, engine: Engine) -> PageRecord:
    return page_record("a.png", "ff", detect_page(data, engine))


def test_a_page_that_is_not_scaled(engine: Engine) -> None:
    plane = white(1000, 400)
    plane[50:80, 100:900] = 0
    plane[150:190, 200:800] = 0
    plane[300:304, 100:900] = 0  # too low for a line
    record = record_of(png(plane), engine)
    assert (record.img_file_name, record.source_etag, record.ok) == ("a.png", "ff", True)
    assert (record.rotation_angle, record.tps_points, record.tps_alpha) == (None, None, None)
    assert record.nb_contours == 2
    assert spans(record) == [(50, 79), (150, 189)]
    assert record.contours_bboxes is not None
    assert sorted(record.contours_bboxes.tolist()) == [[100, 50, 800, 30], [200, 150, 600, 40]]
    assert tiles_seen(engine) == 2


def test_contours_are_in_original_pixels(engine: Engine) -> None:
    plane = white(4000, 1200)
    plane[150:240, 400:3600] = 0
    record = record_of(png(plane), engine)
    ((top, bottom),) = spans(record)
    assert top == pytest.approx(150, abs=3)
    assert bottom == pytest.approx(239, abs=3)
    assert tiles_seen(engine) == 4  # 1706 × 512


def test_a_grey_page(engine: Engine) -> None:
    plane = np.full((400, 1000), 200, np.uint8)
    plane[50:62, 100:900] = 60
    record = record_of(png(plane), engine)
    ((top, bottom),) = spans(record)
    assert (top, bottom) == pytest.approx((50, 61), abs=1)


def test_a_small_rotation_turns_the_contours_themselves(engine: Engine) -> None:
    plane = skewed(2000, 700, 1.5, (250, 450), 30)
    record = record_of(png(plane), engine)
    assert record.rotation_angle == pytest.approx(1.5, abs=0.1)
    assert tiles_seen(engine) == 3  # 1462 × 512, once
    for (top, bottom), middle in zip(spans(record), (250, 450), strict=True):
        assert (top + bottom) / 2 == pytest.approx(middle, abs=3)
        assert bottom - top < 45


@pytest.mark.parametrize("degrees", [4.0, -4.0])
def test_a_great_rotation_is_detected_once_more(engine: Engine, degrees: float) -> None:
    plane = skewed(2000, 700, degrees, (300, 400), 30)
    record = record_of(png(plane), engine)
    assert record.rotation_angle == pytest.approx(degrees, abs=0.1)
    assert tiles_seen(engine) == 6
    assert record.tps_points is None
    inner = [span for span in spans(record) if 250 < sum(span) / 2 < 450]
    for (top, bottom), middle in zip(inner, (300, 400), strict=True):
        assert (top + bottom) / 2 == pytest.approx(middle, abs=4)
        assert bottom - top < 45


def test_bowed_lines_are_straightened(engine: Engine) -> None:
    plane = bowed(2000, 700, 60, (250, 450), 18)
    detection = detect_page(png(plane), engine)
    record = page_record("a.png", "ff", detection)
    assert tiles_seen(engine) == 6
    assert record.tps_alpha == 0.5
    assert record.tps_points is not None
    assert record.tps_points.shape == (9, 4)
    corners = record.tps_points[5:]
    np.testing.assert_array_equal(corners[:, :2], corners[:, 2:])
    np.testing.assert_allclose(corners[3, :2], (700, 2000), atol=3)
    flat = record.tps_points[:5]
    assert np.ptp(flat[:, 2]) == 0
    assert np.ptp(flat[:, 0]) == pytest.approx(60, abs=12)
    inner = [span for span in spans(record) if 200 < sum(span) / 2 < 500]
    assert len(inner) == 2
    assert all(bottom - top < 50 for top, bottom in inner)

    lines = cv2.findContours((detection.probabilities > 0.85).astype(np.uint8), 0, 2)[0]
    line = max(lines, key=lambda points: np.ptp(points[..., 0]) if 100 < points[..., 1].min() < 250 else 0)
    on_scan = np.rint(detection.geometry.to_source(line.reshape(-1, 2))).astype(int)
    mask = np.zeros(plane.shape, np.uint8)
    cv2.fillPoly(mask, [on_scan], 1)
    assert plane[mask == 1].mean() < 40  # what was found lies on the bowed ink


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_pages_that_are_stored_turned(engine: Engine, orientation: int) -> None:
    page = skewed(1000, 400, 1.0, (200,), 30)
    turns = {3: 2, 6: 1, 8: 3}[orientation]
    stored = np.ascontiguousarray(np.rot90(page, turns))
    exif = Image.Exif()
    exif[274] = orientation
    record = record_of(png(stored, exif=exif), engine)
    assert record.rotation_angle == pytest.approx(1.0, abs=0.1)
    assert record.contours is not None
    (contour,) = record.contours
    mask = np.zeros(stored.shape, np.uint8)
    cv2.fillPoly(mask, [contour], 1)
    height, width = stored.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), record.rotation_angle, 1)
    level = cv2.warpAffine(stored, turn, (width, height), borderValue=255)
    assert level[mask == 1].mean() < 20


def test_a_blank_page_has_no_lines(engine: Engine) -> None:
    record = record_of(png(white(900, 700)), engine)
    assert record.ok
    assert record.nb_contours == 0


def test_damaged_pages_are_page_problems(engine: Engine) -> None:
    with pytest.raises(PageProblem) as caught:
        record_of(png(white(900, 700))[:50], engine)
    assert caught.value.stage == "decode"
    engine.close()
    with pytest.raises(PageProblem) as caught:
        record_of(png(white(900, 700)), engine)
    assert (caught.value.stage, caught.value.retryable) == ("detect", True)
