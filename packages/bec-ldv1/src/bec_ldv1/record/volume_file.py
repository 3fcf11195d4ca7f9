"""A volume's Parquet file, written page by page although one flag hangs on all pages.

Records wait as compressed Arrow batches in a file of the job's; in memory are those of a few pages, and every page's
facts. When the last page is known the batches become row groups, with the flag where it belongs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bec_ldv1.page.flags import Flag
from bec_ldv1.record.details import FLAGS, flag_column
from bec_ldv1.record.figures import VolumeFigures
from bec_ldv1.record.records import COMPRESSION, GROUP_ROWS, WHOLE_SCHEMA, PageRecord, to_batch

_BATCH_ROWS = 16
_GROUP_BYTES = 16 << 20  # of columns: pages with many points make smaller row groups


class VolumeFile:
    """Takes a volume's records in the pages' order, then writes its file.

    ``figures`` are of the records that it was given.

    Args:
        waiting: an empty file to write to and to read from; the caller closes it.
        pages: how many records will come.
    """

    def __init__(self, waiting: BinaryIO, pages: int) -> None:
        self._waiting = waiting
        self.figures = VolumeFigures(pages)
        self._records: list[PageRecord] = []
        options = pa.ipc.IpcWriteOptions(compression=COMPRESSION, use_threads=False)
        self._batches = pa.ipc.new_stream(waiting, WHOLE_SCHEMA, options=options)

    def add(self, record: PageRecord) -> None:
        """Take the next page's record.

        Raises:
            PageProblem: a coordinate doesn't fit (see `records.check_range`).
        """
        self.figures.add(record)
        self._records.append(record)
        if len(self._records) == _BATCH_ROWS:
            self._put_by()

    def write(self, sink: BinaryIO) -> None:
        """Write the Parquet file (zstd), one row per record; no more can be added."""
        self._put_by()
        self._batches.close()
        self._waiting.seek(0)
        suspicious = self.figures.suspicious
        with (
            pa.ipc.open_stream(self._waiting) as batches,
            pq.ParquetWriter(sink, WHOLE_SCHEMA, compression=COMPRESSION) as writer,
        ):
            for group in _groups(_flagged(batches, suspicious)):
                writer.write_table(group, row_group_size=group.num_rows)

    def _put_by(self) -> None:
        if self._records:
            self._batches.write_batch(to_batch(self._records))
            self._records.clear()


def _flagged(batches: Iterator[pa.RecordBatch], suspicious: Collection[int]) -> Iterator[pa.RecordBatch]:
    """The batches, with a flag on the rows at these positions of the volume; a failed page has no flags."""
    first = 0
    for batch in batches:
        positions = range(first, first + batch.num_rows)
        flags = [
            [*there, Flag.SUSPICIOUS] if there is not None and position in suspicious else there
            for position, there in zip(positions, batch.column(FLAGS).to_pylist(), strict=True)
        ]
        first += batch.num_rows
        yield batch.set_column(
            batch.schema.get_field_index(FLAGS), WHOLE_SCHEMA.field(FLAGS), flag_column(flags)
        )


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches in row groups."""
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if (
            sum(one.num_rows for one in group) >= GROUP_ROWS
            or sum(one.nbytes for one in group) >= _GROUP_BYTES
        ):
            yield pa.Table.from_batches(group)
            group = []
    if group:
        yield pa.Table.from_batches(group)
