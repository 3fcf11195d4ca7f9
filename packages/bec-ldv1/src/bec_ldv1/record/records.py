"""One page's result and its row in the volume's Parquet file; the contract with everything downstream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bec_ldv1.errors import PageProblem
from bec_ldv1.page.contours import Contour
from bec_ldv1.record import contract, details
from bec_ldv1.record.contract import SCHEMA
from bec_ldv1.record.details import PageDetails

COMPRESSION = "zstd"
GROUP_ROWS = 256
"""So many pages are a row group at most: what a reader must have in memory at a time."""

_ROWS_AT_ONCE = 32

WHOLE_SCHEMA = pa.schema([*SCHEMA, *details.COLUMNS])
"""Types and order of all columns: the contract's, and behind them our own."""


@attrs.frozen(eq=False)
class PageRecord:
    """What is known about one page.

    Attributes:
        img_file_name: as in the manifest.
        source_etag: of the page's object, without quotes; None when it was never fetched.
        rotation_angle: degrees, counter-clockwise positive, about the image centre; None is none.
        tps_points: n × 4 float32 `in_y, in_x, out_y, out_x` in original pixels; None is none.
        tps_alpha: the spline's regularisation; None without a spline.
        contours: outlines, n × 2 (x, y) each, in original-size pixels of the rectified page; None when failed.
        contours_bboxes: n × 4 (x, y, w, h), one per contour; None when failed.
        ok: False when the page failed.
        error_stage: the step that failed.
        error_type: the error's class.
        error_message: at most 128 characters are recorded.
        details: what the contract's columns don't say; None when failed or not looked at.
    """

    img_file_name: str
    source_etag: str | None
    rotation_angle: float | None = None
    tps_points: npt.NDArray[np.float32] | None = None
    tps_alpha: float | None = None
    contours: Sequence[Contour] | None = None
    contours_bboxes: npt.NDArray[np.int32] | None = None
    ok: bool = True
    error_stage: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    details: PageDetails | None = None

    @property
    def nb_contours(self) -> int | None:
        """How many contours there are; None when the page failed."""
        return None if self.contours is None else len(self.contours)

    @classmethod
    def failed(
        cls, img_file_name: str, source_etag: str | None, *, stage: str, error_type: str, message: str
    ) -> PageRecord:
        """The record of a page that could not be processed."""
        return cls(
            img_file_name,
            source_etag,
            ok=False,
            error_stage=stage,
            error_type=error_type,
            error_message=message,
        )


def check_range(record: PageRecord) -> None:
    """Refuse a record whose coordinates don't fit the columns' int16, which would wrap around.

    Raises:
        PageProblem: some coordinate is beyond ±32,767.
    """
    limits = np.iinfo(np.int16)
    parts = [*(record.contours or ())]
    if record.contours_bboxes is not None:
        parts.append(record.contours_bboxes)
    for part in parts:
        if part.size and (part.min() < limits.min or part.max() > limits.max):
            raise PageProblem(
                f"a contour reaches {int(np.abs(part).max()):,} px; records hold at most {limits.max:,}",
                stage="record",
            )


def to_batch(records: Sequence[PageRecord]) -> pa.RecordBatch:
    """The records as rows of `WHOLE_SCHEMA`.

    Raises:
        PageProblem: a coordinate doesn't fit (see `check_range`).
    """
    for record in records:
        check_range(record)
    own = details.to_columns([record.details for record in records])
    return pa.RecordBatch.from_arrays([*contract.to_columns(records), *own], schema=WHOLE_SCHEMA)


def to_parquet(records: Iterable[PageRecord]) -> bytes:
    """The volume's Parquet file (zstd), one row per record in the given order.

    Raises:
        PageProblem: a coordinate doesn't fit (see `check_range`).
    """
    sink, rest = pa.BufferOutputStream(), iter(records)
    with pq.ParquetWriter(sink, WHOLE_SCHEMA, compression=COMPRESSION) as writer:
        while group := list(islice(rest, GROUP_ROWS)):
            writer.write_batch(to_batch(group))
    return bytes(sink.getvalue())


def from_parquet(data: bytes) -> list[PageRecord]:
    """Read a volume's Parquet file; columns that the contract doesn't know are ignored.

    Raises:
        ValueError: a column of the contract is missing, or holds what it can't.
    """
    return list(read_records(data))


def read_records(data: bytes) -> Iterator[PageRecord]:
    """The records of a volume's Parquet file, one after the other; a few rows are in memory at a time.

    Raises:
        ValueError: see `from_parquet`.
    """
    parquet = pq.ParquetFile(pa.BufferReader(data))
    there = parquet.schema_arrow.names
    missing = [name for name in SCHEMA.names if name not in there]
    if missing:
        raise ValueError(f"no line-detection records: the columns {', '.join(missing)} are missing")
    known = [name for name in WHOLE_SCHEMA.names if name in there]
    # Arrow's own threads may still run while a program ends right afterwards, and then abort it.
    for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=known, use_threads=False):
        columns = {
            field.name: _of_type(column, WHOLE_SCHEMA.field(field.name).type)
            for field, column in zip(batch.schema, batch.columns, strict=True)
        }
        for values, own in zip(contract.from_columns(columns), details.from_columns(columns), strict=True):
            yield PageRecord(**values, details=own)


def _of_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column as its type is in memory; casting it to what it is would import pyarrow.compute for nothing."""
    return column if column.type == kind else column.cast(kind)
