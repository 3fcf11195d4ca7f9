"""A volume's file that is written page by page is the one that would be written at once."""

import io

import attrs
import numpy as np
import pyarrow.parquet as pq
import pytest

from bec_ldv1.errors import PageProblem
from bec_ldv1.lines import Line
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, from_parquet, to_parquet
from bec_ldv1.record.volume_file import VolumeFile


def page(number, lines, points=4):
    found = tuple(
        Line(
            np.array(
                [[100, 50 * n], [900, 50 * n], *[[900, 50 * n + 40]] * (points - 3), [100, 50 * n + 40]],
                np.float32,
            ),
            np.array([[100, 50 * n + 20], [900, 50 * n + 20]], np.float32),
            0.95,
        )
        for n in range(lines)
    )
    empty = np.empty((0, 4), np.int32)
    details = PageDetails(1000, 400, 0.1, found, frozenset({Flag.CURVED}))
    return PageRecord(f"{number}.jpg", "ff", contours=[], contours_bboxes=empty, details=details)


def written(records):
    waiting, sink = io.BytesIO(), io.BytesIO()
    volume = VolumeFile(waiting, len(records))
    for record in records:
        volume.add(record)
    volume.write(sink)
    return sink.getvalue()


def test_a_page_unlike_its_volume_is_flagged_in_whatever_batch_it_stands():
    records = [page(number, 6) for number in range(300)]
    records[37] = page(37, 0)
    records[280] = page(280, 0)
    records[299] = PageRecord.failed("299.jpg", None, stage="decode", error_type="X", message="y")
    data = written(records)
    flagged = [
        r.img_file_name for r in from_parquet(data) if r.details and Flag.SUSPICIOUS in r.details.flags
    ]
    assert flagged == ["37.jpg", "280.jpg"]
    assert pq.ParquetFile(io.BytesIO(data)).metadata.num_row_groups == 2

    for record, number in ((records[37], 37), (records[280], 280)):
        flags = record.details.flags | {Flag.SUSPICIOUS}
        records[number] = attrs.evolve(record, details=attrs.evolve(record.details, flags=flags))
    there, expected = (pq.read_table(io.BytesIO(one)) for one in (data, to_parquet(records)))
    assert there.schema == expected.schema
    assert there.equals(expected)


def test_pages_with_many_points_make_smaller_row_groups():
    data = written([page(number, 20, points=20_000) for number in range(40)])  # 3 MiB a page
    metadata = pq.ParquetFile(io.BytesIO(data)).metadata
    assert metadata.num_row_groups == 3
    assert metadata.num_rows == 40


def test_a_volume_without_pages():
    assert from_parquet(written([])) == []


def test_a_coordinate_that_does_not_fit_is_refused():
    outline = np.array([[0, 0], [40_000, 0], [0, 9]], np.int32)
    record = PageRecord("a.jpg", "ff", contours=[outline], contours_bboxes=np.zeros((1, 4), np.int32))
    with pytest.raises(PageProblem, match="records hold at most"):
        written([record])
