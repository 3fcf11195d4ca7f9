"""What detection records of pages that are turned and bent, as a reader of the records gets it back."""

import io
from collections.abc import Iterator

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from bec_ldv1.artifacts import (
    Flag,
    PageImage,
    PageLines,
    TextLine,
    body_height,
    cut_line,
    decode_page,
    from_rectified,
    line_bbox_rectified,
    read_lines,
    to_rectified,
)
from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.engine import Engine
from bec_ldv1.page.decode import upright
from bec_ldv1.page.detect import detect_page
from bec_ldv1.record.contract import SCHEMA
from bec_ldv1.record.records import to_parquet
from support.sample_pages import BOOK, PECHA, askew, image_file, look, sample

CASES = [
    (PECHA, -1.5, 0, 1, 0),
    (PECHA, 4, 330, 1, 0),
    (PECHA, -4, -330, 6, 0),
    (BOOK, 4, 0, 3, 0),
    (BOOK, 0, 0, 5, 0),
    (PECHA, 4, 330, 1, 1),
    (PECHA, -1.5, 0, 6, 2),
    (BOOK, 2, 0, 1, 3),
]
"""Sample, degrees, bow, EXIF orientation, and the quarter turns counter-clockwise that bring it upright after that."""
INVERSE = {6: 8, 8: 6}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(load_model()) as engine:
        yield engine


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request, engine) -> tuple[bytes, bytes]:
    """An image file, and the Parquet file with its page."""
    name, degrees, bow, orientation, quarter_turns = request.param
    plane, _ = askew(sample(name)[0], degrees, bow)
    plane = np.rot90(plane, -quarter_turns)
    data = image_file(upright(plane, INVERSE.get(orientation, orientation)), orientation)
    return data, to_parquet([look(engine, data)])


def read(case: tuple[bytes, bytes]) -> tuple[PageImage, PageLines]:
    (page,) = read_lines(case[1])
    image = decode_page(case[0], page.quarter_turns)
    return image, page.on(image)


def of_the_earlier_system(parquet: bytes) -> bytes:
    """The file with the contract's columns alone."""
    sink = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(parquet), columns=SCHEMA.names), sink)
    return sink.getvalue()


def test_the_direction_is_recorded(request, case):
    """What viewers do, and what is left to do."""
    *_, orientation, quarter_turns = request.node.callspec.params["case"]
    _, page = read(case)
    assert (page.orientation, page.quarter_turns) == (orientation, quarter_turns)
    assert (Flag.TURNED in page.flags) == (quarter_turns > 0)


def test_points_go_where_detection_recorded_them(engine, case):
    detection = detect_page(case[0], engine)
    geometry = detection.geometry
    _, page = read(case)
    height, width = detection.ink.shape
    inner = np.random.default_rng(1).uniform(
        (0.1 * width, 0.2 * height), (0.9 * width, 0.8 * height), (200, 2)
    )
    stored, recorded = geometry.to_source(inner), geometry.to_record(inner)
    np.testing.assert_allclose(to_rectified(page, stored), recorded, atol=1.0)
    np.testing.assert_allclose(from_rectified(page, recorded), stored, atol=1.0)


def test_a_lines_box_holds_its_pieces_and_no_more(case):
    image, page = read(case)
    pieces = 0
    for line in page.lines:
        x, y, width, height = line_bbox_rectified(page, line)
        outline = to_rectified(page, line.polygon).astype(np.float32)
        body = body_height(page, line)
        assert body is not None
        assert (width if image.orientation >= 5 else height) < 5 * body
        for left, top, wide, high in page.contours_bboxes.tolist():
            if cv2.pointPolygonTest(outline, (left + wide / 2, top + high / 2), False) >= 0:
                pieces += 1
                common = (min(left + wide, x + width) - max(left, x)) * (
                    min(top + high, y + height) - max(top, y)
                )
                assert common > 0.85 * wide * high  # lines end with their ink, pieces with the network's map
    assert pieces >= len(page.lines) > 0


def ink_rows(crop: np.ndarray) -> tuple[float, float]:
    """Where the upper and lower edge of the ink lie on the whole, over the crop's height."""
    rows = np.flatnonzero((crop < 110).mean(axis=1) > 0.08)
    return rows[0] / len(crop), rows[-1] / len(crop)


def test_lines_come_out_level(case):
    """The ink of a level line's halves lies at the same height."""
    image, page = read(case)
    for line in page.lines:
        crop = cut_line(image, page, line)
        if crop.shape[1] < 12 * crop.shape[0]:
            continue  # a few letters have no level of their own
        thirds = [ink_rows(part) for part in np.array_split(crop, 3, axis=1)]
        assert np.ptp(thirds, axis=0).max() < 0.35, thirds


def covered(line: TextLine, others: tuple[TextLine, ...], size: tuple[int, int]) -> float:
    """The share of a line that the other line that covers it best does."""

    def mask(polygon: np.ndarray) -> np.ndarray:
        return cv2.fillPoly(np.zeros(size[::-1], np.uint8), [np.rint(polygon).astype(np.int32)], 1)

    own = mask(line.polygon)
    return max(float((own & mask(other.polygon)).sum() / own.sum()) for other in others)


def test_files_of_the_earlier_system_give_the_same_lines(case):
    image, page = read(case)
    # on strongly bowed pages pieces end a little before their lines, which go on with the ink
    least = 0.9 if page.tps_points is None else 0.89
    (older,) = read_lines(of_the_earlier_system(case[1]))
    assert older.pieces_only
    assert not page.pieces_only
    assert (older.width, older.height) == (None, None)
    with pytest.raises(ValueError, match=r"only pieces of lines of 1\.png"):
        assert older.lines
    with pytest.raises(ValueError, match="size is not recorded"):
        to_rectified(older, np.zeros((1, 2)))
    older = older.on(image)
    assert (older.width, older.height) == (page.width, page.height)
    assert len(older.lines) == len(page.lines)
    for line, same in zip(page.lines, older.lines, strict=True):
        assert covered(line, (same,), image.stored_size) > least
        assert same.confidence is None
        way = same.baseline[-1] - same.baseline[0]
        assert way @ (line.baseline[-1] - line.baseline[0]) > 0
        theirs, ours = cut_line(image, older, same), cut_line(image, page, line)
        assert theirs.shape == pytest.approx(ours.shape, rel=0.25)
        thirds = [ink_rows(part) for part in np.array_split(theirs, 3, axis=1)]
        if theirs.shape[1] >= 12 * theirs.shape[0]:
            assert np.ptp(thirds, axis=0).max() < 0.35, thirds
