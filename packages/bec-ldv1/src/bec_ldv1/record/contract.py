"""The contract's columns of a volume's Parquet file, from records to Arrow and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

from bec_ldv1.record.nested import lists, rows_of_structs, spans, struct_lists, structs

if TYPE_CHECKING:
    from bec_ldv1.record.records import PageRecord

MAX_MESSAGE = 128

_INT16 = pa.int16()
_CONTOUR = pa.list_(pa.struct([("x", _INT16), ("y", _INT16)]))
_BOXES = pa.list_(pa.struct([(name, _INT16) for name in ("x", "y", "w", "h")]))
_SPLINE_ROW = pa.list_(pa.float32())
SCHEMA = pa.schema(
    [
        ("img_file_name", pa.string()),
        ("source_etag", pa.string()),
        ("rotation_angle", pa.float32()),
        ("tps_points", pa.list_(_SPLINE_ROW)),
        ("tps_alpha", pa.float16()),
        ("contours", pa.list_(_CONTOUR)),
        ("nb_contours", pa.int32()),
        ("contours_bboxes", _BOXES),
        ("ok", pa.bool_()),
        ("error_stage", pa.string()),
        ("error_type", pa.string()),
        ("error_message", pa.string()),
    ]
)
"""Types and order of the contract's columns; `details.COLUMNS` stand behind them."""

_PLAIN = ("img_file_name", "source_etag", "rotation_angle", "ok", "error_stage", "error_type")


def to_columns(records: Sequence[PageRecord]) -> list[pa.Array]:
    """The columns of `SCHEMA`; every coordinate must fit (see `records.check_range`)."""
    contours = [contour for record in records for contour in record.contours or ()]
    boxes = [record.contours_bboxes for record in records]
    splines = [record.tps_points for record in records]
    spline_rows = [row for spline in splines if spline is not None for row in spline]
    numbers = np.concatenate(spline_rows).astype(np.float32) if spline_rows else np.empty(0, np.float32)
    columns: dict[str, Any] = {
        **{name: [getattr(record, name) for record in records] for name in _PLAIN},
        "tps_points": lists(
            [None if spline is None else len(spline) for spline in splines],
            lists(map(len, spline_rows), pa.array(numbers), _SPLINE_ROW),
            SCHEMA.field("tps_points").type,
        ),
        "tps_alpha": [
            None if record.tps_alpha is None else np.float16(record.tps_alpha) for record in records
        ],
        "contours": lists(
            [record.nb_contours for record in records],
            struct_lists(contours, _CONTOUR),
            SCHEMA.field("contours").type,
        ),
        "nb_contours": [record.nb_contours for record in records],
        "contours_bboxes": lists(
            [None if box is None else len(box) for box in boxes],
            structs([box for box in boxes if box is not None], _BOXES.value_type),
            _BOXES,
        ),
        "error_message": [_shortened(record.error_message) for record in records],
    }
    made = [columns[field.name] for field in SCHEMA]
    return [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for field, column in zip(SCHEMA, made, strict=True)
    ]


def from_columns(columns: Mapping[str, pa.Array]) -> Iterator[dict[str, Any]]:
    """Each row as a `PageRecord`'s arguments, without details.

    Raises:
        ValueError: a coordinate is null.
    """
    plain = {name: columns[name].to_pylist() for name in (*_PLAIN, "tps_alpha", "error_message")}
    contours, boxes, splines = (columns[name] for name in ("contours", "contours_bboxes", "tps_points"))
    points = rows_of_structs(contours.values.values).astype(np.int32)
    outlines = [points[span] for span in spans(contours.values)]
    corners = rows_of_structs(boxes.values).astype(np.int32)
    numbers = splines.values.values.to_numpy()
    spline_rows = [numbers[span] for span in spans(splines.values)]
    for row, (of_contours, of_boxes, of_spline) in enumerate(
        zip(spans(contours), spans(boxes), spans(splines), strict=True)
    ):
        values = {name: column[row] for name, column in plain.items()}
        alpha = values.pop("tps_alpha")
        yield {
            **values,
            "tps_alpha": None if alpha is None else float(alpha),
            "contours": None if of_contours is None else [o.copy() for o in outlines[of_contours]],
            "contours_bboxes": None if of_boxes is None else corners[of_boxes].copy(),
            "tps_points": None
            if of_spline is None
            else np.array(spline_rows[of_spline], np.float32).reshape(-1, 4),
        }


def _shortened(message: str | None) -> str | None:
    if message is not None and len(message) > MAX_MESSAGE:
        return message[: MAX_MESSAGE - 1] + "…"
    return message
