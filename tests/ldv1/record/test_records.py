import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bec_ldv1.errors import PageProblem
from bec_ldv1.record.contract import SCHEMA
from bec_ldv1.record.records import PageRecord, check_range, from_parquet, to_parquet

CONTOURS = [
    np.array([[10, 20], [32767, 20], [100, -3]], np.int32),
    np.array([[0, 0], [5, 0], [5, 5], [0, 5]], np.int32),
]
BOXES = np.array([[10, -3, 32758, 24], [0, 0, 6, 6]], np.int32)
CURVED = PageRecord(
    "I0886002.tif",
    "0123abcd",
    rotation_angle=-1.25,
    tps_points=np.array([[1.5, 2, 3, 4], [5, 6, 7, 8]], np.float32),
    tps_alpha=0.5,
    contours=CONTOURS,
    contours_bboxes=BOXES,
)
EMPTY = PageRecord("I0886001.jpg", "ff", contours=[], contours_bboxes=np.empty((0, 4), np.int32))
FAILED = PageRecord.failed("I0886003.jpg", None, stage="decode", error_type="PageProblem", message="x" * 300)


def test_the_columns_are_the_contract() -> None:
    table = pq.read_table(io.BytesIO(to_parquet([EMPTY])))
    assert [(field.name, str(field.type).replace("element", "item")) for field in table.schema][:12] == [
        ("img_file_name", "string"),
        ("source_etag", "string"),
        ("rotation_angle", "float"),
        ("tps_points", "list<item: list<item: float>>"),
        ("tps_alpha", "halffloat"),
        ("contours", "list<item: list<item: struct<x: int16, y: int16>>>"),
        ("nb_contours", "int32"),
        ("contours_bboxes", "list<item: struct<x: int16, y: int16, w: int16, h: int16>>"),
        ("ok", "bool"),
        ("error_stage", "string"),
        ("error_type", "string"),
        ("error_message", "string"),
    ]


def test_it_is_zstd() -> None:
    metadata = pq.ParquetFile(io.BytesIO(to_parquet([CURVED]))).metadata
    codecs = {metadata.row_group(0).column(i).compression for i in range(metadata.num_columns)}
    assert codecs == {"ZSTD"}


def test_rows_as_a_plain_reader_sees_them() -> None:
    table = pq.read_table(io.BytesIO(to_parquet([EMPTY, CURVED, FAILED])), columns=SCHEMA.names)
    empty, curved, failed = table.to_pylist()
    assert empty == {
        "img_file_name": "I0886001.jpg",
        "source_etag": "ff",
        "rotation_angle": None,
        "tps_points": None,
        "tps_alpha": None,
        "contours": [],
        "nb_contours": 0,
        "contours_bboxes": [],
        "ok": True,
        "error_stage": None,
        "error_type": None,
        "error_message": None,
    }
    assert curved["rotation_angle"] == -1.25
    assert curved["tps_points"] == [[1.5, 2, 3, 4], [5, 6, 7, 8]]
    assert curved["tps_alpha"] == 0.5
    assert curved["contours"][0] == [{"x": 10, "y": 20}, {"x": 32767, "y": 20}, {"x": 100, "y": -3}]
    assert curved["nb_contours"] == 2
    assert curved["contours_bboxes"][0] == {"x": 10, "y": -3, "w": 32758, "h": 24}
    assert failed["ok"] is False
    assert failed["contours"] is None
    assert failed["nb_contours"] is None
    assert failed["source_etag"] is None
    assert failed["error_stage"] == "decode"
    assert failed["error_type"] == "PageProblem"
    assert failed["error_message"] == "x" * 127 + "…"


def test_there_and_back() -> None:
    empty, curved, failed = from_parquet(to_parquet([EMPTY, CURVED, FAILED]))
    assert empty.contours == []
    assert empty.nb_contours == 0
    assert curved.contours is not None
    for read, written in zip(curved.contours, CONTOURS, strict=True):
        np.testing.assert_array_equal(read, written)
    np.testing.assert_array_equal(curved.contours_bboxes, BOXES)
    np.testing.assert_array_equal(curved.tps_points, CURVED.tps_points)
    assert curved.tps_alpha == 0.5
    assert not failed.ok
    assert failed.contours is None


def test_a_volume_without_pages() -> None:
    assert from_parquet(to_parquet([])) == []


def test_further_columns_are_ignored_and_missing_ones_named() -> None:
    table = pq.read_table(io.BytesIO(to_parquet([EMPTY])))
    more, less = io.BytesIO(), io.BytesIO()
    pq.write_table(table.append_column("extra", pa.array([1])), more)
    pq.write_table(table.drop_columns(["ok", "contours"]), less)
    assert len(from_parquet(more.getvalue())) == 1
    with pytest.raises(ValueError, match="columns contours, ok are missing"):
        from_parquet(less.getvalue())


@pytest.mark.parametrize("beyond", [32_768, -32_769, 40_000])
def test_coordinates_never_wrap_around(beyond: int) -> None:
    outline = np.array([[0, 0], [beyond, 0], [0, 9]], np.int32)
    record = PageRecord("a.jpg", "ff", contours=[outline], contours_bboxes=np.zeros((1, 4), np.int32))
    with pytest.raises(PageProblem, match="records hold at most 32,767"):
        check_range(record)
    with pytest.raises(PageProblem, match="records hold at most"):
        to_parquet([record])
    wide = PageRecord("a.jpg", "ff", contours=[], contours_bboxes=np.array([[0, 0, beyond, 5]], np.int32))
    with pytest.raises(PageProblem):
        check_range(wide)


def test_reading_starts_no_threads_of_arrow(tmp_path: Path) -> None:
    """A program that ended right after it had read was sometimes aborted by them."""
    (tmp_path / "x.parquet").write_bytes(to_parquet([PageRecord("1.jpg", "e")] * 3))
    program = (
        "import os, sys; from pathlib import Path; from bec_ldv1.record.records import from_parquet\n"
        "count = lambda: len(os.listdir('/proc/self/task')); data = Path(sys.argv[1]).read_bytes(); before = count()\n"
        "from_parquet(data); print(count() - before)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "x.parquet")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "0\n"
