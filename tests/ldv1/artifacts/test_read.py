"""A volume's Parquet file as pages."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bec_ldv1.artifacts import (
    PageImage,
    PageProblem,
    int16_box,
    line_bbox_rectified,
    read_lines,
    to_rectified,
)
from bec_ldv1.lines import Line
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, to_parquet

POLYGON = np.array([[10.5, 20], [300, 20], [300, 60], [10.5, 60]], np.float32)
LINE = Line(POLYGON, np.array([[10, 40], [300, 41]], np.float32), 0.75)
CONTOUR = np.array([[12, 30], [298, 30], [298, 50], [12, 50]], np.int32)
BOXES = np.array([[12, 30, 287, 21]], np.int32)


def record(**details: object) -> PageRecord:
    flags = frozenset({Flag.ROTATED})
    return PageRecord(
        "1.jpg", "ff", rotation_angle=2.0, contours=[CONTOUR], contours_bboxes=BOXES,
        details=PageDetails(800, 200, 0.125, (LINE,), flags, **details),
    )  # fmt: skip


def changed(parquet: bytes, change) -> bytes:
    sink = io.BytesIO()
    pq.write_table(change(pq.read_table(io.BytesIO(parquet))), sink)
    return sink.getvalue()


def test_a_page():
    (page,) = read_lines(to_parquet([record()]))
    assert (page.image, page.source_etag, page.ok, page.error_stage) == ("1.jpg", "ff", True, None)
    assert (page.width, page.height, page.quarter_turns) == (800, 200, 0)
    assert (page.rotation_angle, page.tps_points, page.tps_alpha) == (2.0, None, None)
    assert (page.flags, page.pieces_only) == ({"rotated"}, False)
    (line,) = page.lines
    np.testing.assert_array_equal(line.polygon, LINE.polygon)
    np.testing.assert_array_equal(line.baseline, LINE.baseline)
    assert line.confidence == 0.75
    assert page.contours[0].tolist() == CONTOUR.tolist()
    assert page.contours_bboxes.tolist() == BOXES.tolist()


def test_a_failed_page_has_its_error_and_no_lines():
    failed = PageRecord.failed("2.jpg", None, stage="decode", error_type="PageProblem", message="damaged")
    first, page = read_lines(to_parquet([record(), failed]))
    assert first.ok
    assert not page.ok
    assert (page.image, page.source_etag) == ("2.jpg", None)
    assert (page.error_stage, page.error_type, page.error_message) == ("decode", "PageProblem", "damaged")
    assert (page.lines, page.contours, page.pieces_only) == ((), (), False)


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns_are_kept(turns):
    (page,) = read_lines(to_parquet([record(quarter_turns=turns)]))
    assert page.quarter_turns == turns


@pytest.mark.parametrize(("recorded", "turns"), [(None, 0), (-1, 3), (5, 1)])
def test_quarter_turns_of_other_programs(recorded, turns):
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index("quarter_turns")
        return table.set_column(at, "quarter_turns", pa.array([recorded], pa.int8()))

    (page,) = read_lines(changed(to_parquet([record()]), change))
    assert page.quarter_turns == turns


def test_files_from_before_the_column_have_none():
    older = changed(to_parquet([record(quarter_turns=2)]), lambda table: table.drop_columns("quarter_turns"))
    (page,) = read_lines(older)
    assert page.quarter_turns == 0
    assert len(page.lines) == 1


def test_columns_that_nobody_knows_are_left_out():
    newer = changed(to_parquet([record()]), lambda table: table.append_column("x", pa.array(["y"])))
    assert len(read_lines(newer)[0].lines) == 1


def test_what_is_no_artifact_is_refused():
    with pytest.raises(ValueError, match="Parquet"):
        read_lines(b"nothing of the kind")
    with pytest.raises(ValueError, match="the columns contours are missing"):
        read_lines(changed(to_parquet([record()]), lambda table: table.drop_columns("contours")))


@pytest.mark.parametrize("size", [(800, 201), (200, 800)])
def test_a_page_is_laid_on_its_own_image_only(size):
    (page,) = read_lines(to_parquet([record()]))
    assert page.on(PageImage(np.zeros((200, 800), np.uint8), False)) is page
    with pytest.raises(PageProblem, match="the recorded one was 800 × 200 px"):
        page.on(PageImage(np.zeros(size[::-1], np.uint8), False))


def test_the_box_on_the_rectified_page():
    (page,) = read_lines(to_parquet([record()]))
    x, y, width, height = line_bbox_rectified(page, page.lines[0])
    corners = to_rectified(page, POLYGON)
    # two degrees counter-clockwise about (400, 100): what lies left of it comes down by 35 px a thousand
    assert corners[0] - POLYGON[0] == pytest.approx([-2.6, 13.6], abs=0.1)
    np.testing.assert_allclose((x, y), np.rint(corners.min(axis=0)))
    np.testing.assert_allclose((x + width - 1, y + height - 1), np.rint(corners.max(axis=0)))


def test_the_rectified_page_of_one_that_lies_on_a_side_does_so_too():
    """As contours do: rotated and straightened is the stored raster, whatever has to be turned afterwards."""
    lying, standing = (read_lines(to_parquet([record(quarter_turns=turns)]))[0] for turns in (1, 0))
    assert line_bbox_rectified(lying, lying.lines[0]) == line_bbox_rectified(standing, standing.lines[0])


@pytest.mark.parametrize(
    ("box", "held"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4)),
        ((32_000, 5, 2_000, 9), (32_000, 5, 767, 9)),
        ((40_000, 5, 100, 9), (32_767, 5, 0, 9)),
        ((-40_000, -5, 50_000, 9), (-32_767, -5, 32_767, 9)),
    ],
)
def test_boxes_for_the_contracts_columns(box, held):
    assert int16_box(box) == held
    assert np.abs(held).max() <= np.iinfo(np.int16).max
