"""A volume's Parquet file: the contract with search and evaluation downstream. `bec_ocrv1.artifacts` reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bec_ldv1.artifacts import int16_box
from bec_ocrv1.artifacts import Box, PageText, Point

MAX_MESSAGE = 128
_ROWS_AT_ONCE = 64

_POINTS = pa.list_(pa.struct([("x", pa.float32()), ("y", pa.float32())]))


def _boxes(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct([(name, kind) for name in ("x", "y", "w", "h")]))


SCHEMA = pa.schema(
    [
        ("img_file_name", pa.string()),
        ("source_etag", pa.string()),
        ("rotation_angle", pa.float32()),
        ("tps_points", pa.list_(pa.list_(pa.float32()))),
        ("tps_alpha", pa.float32()),
        ("line_bboxes", _boxes(pa.int16())),
        ("line_texts", pa.list_(pa.string())),
        ("nb_lines", pa.int32()),
        ("ok", pa.bool_()),
        ("error_stage", pa.string()),
        ("error_type", pa.string()),
        ("error_message", pa.string()),
        ("line_confidences", pa.list_(pa.float32())),
        ("line_boxes", _boxes(pa.int32())),
        ("line_polygons", pa.list_(_POINTS)),
        ("line_baselines", pa.list_(_POINTS)),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("quarter_turns", pa.int8()),
        ("flags", pa.list_(pa.string())),
        ("orientation", pa.int8()),
    ]
)
"""Types and order: the contract's columns, ours behind them. ``line_boxes`` is ``line_bboxes`` without a limit.

A failed page has null in the columns of the lines.
"""


class TextTable:
    """A volume's Parquet file (zstd), to which pages are added one by one: only some rows are held as they are."""

    def __init__(self) -> None:
        self._sink = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(self._sink, SCHEMA, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def add(self, page: PageText) -> None:
        """Add the next page's row.

        Raises:
            ValueError: a line of it has no confidence or no box: those are what an OCR job finds out.
        """
        self._rows.append(_row(page))
        if len(self._rows) == _ROWS_AT_ONCE:
            self._flush()

    def finish(self) -> bytes:
        """The file; nothing can be added to it any more."""
        if self._rows:
            self._flush()
        self._writer.close()
        return bytes(self._sink.getvalue())

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
        self._rows.clear()


def to_parquet(pages: Iterable[PageText]) -> bytes:
    """The Parquet file of these pages, in the given order; raises what `TextTable.add` raises."""
    table = TextTable()
    for page in pages:
        table.add(page)
    return table.finish()


def _row(page: PageText) -> dict[str, Any]:
    message = page.error_message
    if message is not None and len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 1] + "…"
    return {
        "img_file_name": page.image,
        "source_etag": page.source_etag,
        "rotation_angle": page.rotation_angle,
        "tps_points": None if page.tps_points is None else [list(point) for point in page.tps_points],
        "tps_alpha": page.tps_alpha,
        "nb_lines": len(page.lines) if page.ok else None,
        "ok": page.ok,
        "error_stage": page.error_stage,
        "error_type": page.error_type,
        "error_message": message,
        "width": page.width,
        "height": page.height,
        "quarter_turns": page.quarter_turns,
        "flags": list(page.flags),
        "orientation": page.orientation,
        **(_line_columns(page) if page.ok else {}),
    }


def _line_columns(page: PageText) -> dict[str, Any]:
    boxes = []
    for number, line in enumerate(page.lines, start=1):
        if line.bbox is None or line.confidence is None:
            raise ValueError(f"line {number} of {page.image} has no box or no confidence")
        boxes.append(line.bbox)
    return {
        "line_bboxes": [_box(int16_box(box)) for box in boxes],
        "line_texts": [line.text for line in page.lines],
        "line_confidences": [line.confidence for line in page.lines],
        "line_boxes": [_box(box) for box in boxes],
        "line_polygons": [_points(line.polygon) for line in page.lines],
        "line_baselines": [_points(line.baseline) for line in page.lines],
    }


def _box(box: Box) -> dict[str, int]:
    return dict(zip(("x", "y", "w", "h"), box, strict=True))


def _points(points: tuple[Point, ...]) -> list[dict[str, float]]:
    return [{"x": x, "y": y} for x, y in points]
