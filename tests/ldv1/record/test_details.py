import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bec_ldv1.lines import Line
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.contract import SCHEMA
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, from_parquet, to_parquet

LINE = Line(np.array([[1.5, 2], [30, 2], [30, 9]], np.float32), np.array([[1, 5], [30, 6]], np.float32), 0.75)
DETAILS = PageDetails(
    800,
    200,
    0.125,
    (LINE,),
    frozenset({Flag.CURVED, Flag.ROTATED}),
    unread_share=0.25,
    unread_rows=3,
    doubt=0.5,
    unread_tails=1,
)
RECORD = PageRecord("1.jpg", "ff", contours=[], contours_bboxes=np.empty((0, 4), np.int32), details=DETAILS)


def test_there_and_back():
    (record,) = from_parquet(to_parquet([RECORD]))
    assert record.details is not None
    assert (record.details.width, record.details.height, record.details.ink_share) == (800, 200, 0.125)
    assert record.details.flags == DETAILS.flags
    assert (record.details.unread_share, record.details.unread_rows, record.details.doubt) == (0.25, 3, 0.5)
    assert record.details.unread_tails == 1
    (line,) = record.details.lines
    np.testing.assert_array_equal(line.polygon, LINE.polygon)
    np.testing.assert_array_equal(line.baseline, LINE.baseline)
    assert line.confidence == 0.75


def test_a_file_of_the_contracts_columns_alone_has_no_details():
    table = pq.read_table(io.BytesIO(to_parquet([RECORD])), columns=SCHEMA.names)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    (record,) = from_parquet(sink.getvalue().to_pybytes())
    assert record.details is None
    assert record.ok


def test_a_file_of_before_the_newest_columns_is_read():
    table = pq.read_table(io.BytesIO(to_parquet([RECORD])))
    sink = pa.BufferOutputStream()
    pq.write_table(table.drop_columns(["unread_share", "unread_rows", "doubt", "unread_tails"]), sink)
    (record,) = from_parquet(sink.getvalue().to_pybytes())
    assert record.details is not None
    assert record.details.flags == DETAILS.flags
    assert (record.details.unread_share, record.details.unread_rows, record.details.doubt) == (
        None,
        None,
        None,
    )
    assert record.details.unread_tails is None


def test_a_failed_page_has_none():
    failed = PageRecord.failed("1.jpg", None, stage="decode", error_type="X", message="y")
    (record,) = from_parquet(to_parquet([failed]))
    assert record.details is None
