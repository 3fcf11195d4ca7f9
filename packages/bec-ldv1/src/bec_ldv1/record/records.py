"""One page's result and its row in the volume's Parquet file; the contract with everything downstream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bec_ldv1.errors import PageProblem
from bec_ldv1.page.contours import Contour
from bec_ldv1.record import details
from bec_ldv1.record.details import PageDetails

MAX_MESSAGE = 128
_ROWS_AT_ONCE = 32

_INT16 = pa.int16()
SCHEMA = pa.schema(
    [
        ("img_file_name", pa.string()),
        ("source_etag", pa.string()),
        ("rotation_angle", pa.float32()),
        ("tps_points", pa.list_(pa.list_(pa.float32()))),
        ("tps_alpha", pa.float16()),
        ("contours", pa.list_(pa.list_(pa.struct([("x", _INT16), ("y", _INT16)])))),
        ("nb_contours", pa.int32()),
        ("contours_bboxes", pa.list_(pa.struct([(name, _INT16) for name in ("x", "y", "w", "h")]))),
        ("ok", pa.bool_()),
        ("error_stage", pa.string()),
        ("error_type", pa.string()),
        ("error_message", pa.string()),
    ]
)
"""Types and order of the contract's columns; `details.COLUMNS` stand behind them."""

_ALL = pa.schema([*SCHEMA, *details.COLUMNS])


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


def to_parquet(records: Iterable[PageRecord]) -> bytes:
    """The volume's Parquet file (zstd), one row per record in the given order.

    Raises:
        PageProblem: a coordinate doesn't fit (see `check_range`).
    """
    table = pa.Table.from_pylist([_row(record) for record in records], schema=_ALL)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def from_parquet(data: bytes) -> list[PageRecord]:
    """Read a volume's Parquet file; columns that the contract doesn't know are ignored.

    Raises:
        ValueError: a column of the contract is missing.
    """
    # Arrow's own threads may still run while a program ends right afterwards, and then abort it.
    table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise ValueError(f"no line-detection records: the columns {', '.join(missing)} are missing")
    known = [name for name in _ALL.names if name in table.column_names]
    # Python's dicts of points take many times the memory of the columns: a few rows at a time.
    batches = table.select(known).to_batches(max_chunksize=_ROWS_AT_ONCE)
    return [_record(row) for batch in batches for row in batch.to_pylist()]


def _row(record: PageRecord) -> dict[str, Any]:
    check_range(record)
    boxes, contours, points = record.contours_bboxes, record.contours, record.tps_points
    message = record.error_message
    if message is not None and len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 1] + "…"
    return {
        "img_file_name": record.img_file_name,
        "source_etag": record.source_etag,
        "rotation_angle": record.rotation_angle,
        "tps_points": None if points is None else points.tolist(),
        "tps_alpha": None if record.tps_alpha is None else np.float16(record.tps_alpha),
        "contours": None if contours is None else [_points(contour) for contour in contours],
        "nb_contours": record.nb_contours,
        "contours_bboxes": None
        if boxes is None
        else [dict(zip("xywh", box, strict=True)) for box in boxes.tolist()],
        "ok": record.ok,
        "error_stage": record.error_stage,
        "error_type": record.error_type,
        "error_message": message,
        **details.to_row(record.details),
    }


def _points(contour: Contour) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in contour.tolist()]


def _record(row: dict[str, Any]) -> PageRecord:
    contours, boxes, points = row["contours"], row["contours_bboxes"], row["tps_points"]
    return PageRecord(
        img_file_name=row["img_file_name"],
        source_etag=row["source_etag"],
        rotation_angle=row["rotation_angle"],
        tps_points=None if points is None else np.array(points, dtype=np.float32).reshape(-1, 4),
        tps_alpha=None if row["tps_alpha"] is None else float(row["tps_alpha"]),
        contours=None
        if contours is None
        else [np.array([(p["x"], p["y"]) for p in contour], np.int32).reshape(-1, 2) for contour in contours],
        contours_bboxes=None
        if boxes is None
        else np.array([[box[name] for name in "xywh"] for box in boxes], np.int32).reshape(-1, 4),
        ok=row["ok"],
        error_stage=row["error_stage"],
        error_type=row["error_type"],
        error_message=row["error_message"],
        details=details.from_row(row),
    )
