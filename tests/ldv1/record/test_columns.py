"""Columns made straight from numpy say what rows of plain Python values would."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bec_ldv1.lines import Line
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import WHOLE_SCHEMA, PageRecord, from_parquet, to_batch, to_parquet


def points(rng, kind):
    return rng.integers(-3000, 32_000, (int(rng.integers(0, 5)), 2)).astype(kind)


def any_record(rng, number):
    """A record of any kind: failed, without lines, without details, with or without a spline."""
    if rng.random() < 0.2:
        return PageRecord.failed(f"{number}.jpg", None, stage="decode", error_type="X", message="y" * number)
    found = range(int(rng.integers(0, 4)))
    lines = tuple(Line(points(rng, np.float32) / 3, points(rng, np.float32), rng.random()) for _ in found)
    flags = frozenset(flag for flag in Flag if rng.random() < 0.3)
    spline = rng.random((int(rng.integers(0, 4)), 4), np.float32) if rng.random() < 0.5 else None
    return PageRecord(
        f"ཀ{number}.jpg",
        "ff",
        rotation_angle=None if rng.random() < 0.5 else rng.random(),
        tps_points=spline,
        tps_alpha=None if spline is None else 0.5,
        contours=[points(rng, np.int32) for _ in found],
        contours_bboxes=rng.integers(0, 999, (len(found), 4)).astype(np.int32),
        details=None
        if rng.random() < 0.2
        else PageDetails(900, number, rng.random(), lines, flags, number % 4, 6),
    )


def plain(record):
    """The row as Python's own values."""

    def dicts(array, names="xy"):
        return [dict(zip(names, row, strict=True)) for row in array.tolist()]

    details, contours, boxes = record.details, record.contours, record.contours_bboxes
    message = record.error_message
    row = {
        **{name: getattr(record, name) for name in ("img_file_name", "source_etag", "rotation_angle", "ok")},
        "tps_points": None if record.tps_points is None else record.tps_points.tolist(),
        "tps_alpha": None if record.tps_alpha is None else np.float16(record.tps_alpha),
        "contours": None if contours is None else [dicts(contour) for contour in contours],
        "nb_contours": None if contours is None else len(contours),
        "contours_bboxes": None if boxes is None else dicts(boxes, "xywh"),
        "error_stage": record.error_stage,
        "error_type": record.error_type,
        "error_message": message if message is None or len(message) <= 128 else message[:127] + "…",
    }
    if details is not None:
        row |= {
            "page_width": details.width,
            "page_height": details.height,
            "ink_share": details.ink_share,
            "lines": [
                {"polygon": dicts(one.polygon), "baseline": dicts(one.baseline), "confidence": one.confidence}
                for one in details.lines
            ],
            "flags": sorted(details.flags),
            "quarter_turns": details.quarter_turns,
            "orientation": details.orientation,
        }
    return row


def volume(seed):
    rng = np.random.default_rng(seed)
    return [any_record(rng, number) for number in range(int(rng.integers(0, 200)))]


@pytest.mark.parametrize("seed", range(12))
def test_the_columns_hold_what_rows_would(seed):
    records = volume(seed)
    expected = pa.Table.from_pylist([plain(record) for record in records], schema=WHOLE_SCHEMA)
    assert pa.Table.from_batches([to_batch(records)]).equals(expected)
    read = pq.read_table(io.BytesIO(to_parquet(records)))
    assert read.schema.names == WHOLE_SCHEMA.names
    assert read.cast(WHOLE_SCHEMA).equals(expected)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_is_what_was_written(seed):
    records = volume(seed)
    again = from_parquet(to_parquet(records))
    assert to_batch(again).equals(to_batch(records))
    for record in again:
        for contour in record.contours or ():
            assert contour.dtype == np.int32
            assert contour.base is None  # a page that is kept keeps no other page's points


def test_a_row_group_holds_so_many_pages_at_most():
    records = [PageRecord(f"{number}.jpg", "ff") for number in range(600)]
    metadata = pq.ParquetFile(io.BytesIO(to_parquet(records))).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [256, 256, 88]
    assert [record.img_file_name for record in from_parquet(to_parquet(records))] == [
        record.img_file_name for record in records
    ]
