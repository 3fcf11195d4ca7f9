"""The public reader of what OCR jobs write: pages, their lines, the lines' texts.

It reads every Parquet file with the contract's columns; what only ours have (confidence, polygons, the page's size) is
None or empty where a file comes from another program. It needs pyarrow, neither an engine nor a network.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from attrs import frozen

VERSION = 1
"""Of this interface: raised when something of it changes or goes."""

CONTRACT = (
    "img_file_name", "source_etag", "rotation_angle", "tps_points", "tps_alpha", "line_bboxes", "line_texts",
    "nb_lines", "ok", "error_stage", "error_type", "error_message",
)  # fmt: skip
"""The columns that every OCR job writes, in their order."""

_OURS = (
    "line_confidences", "line_boxes", "line_polygons", "line_baselines", "width", "height", "quarter_turns", "flags",
    "orientation",
)  # fmt: skip
_ROWS_AT_ONCE = 64

Point = tuple[float, float]
"""x, y."""

Box = tuple[int, int, int, int]
"""x, y, width, height."""


@frozen
class ReadLine:
    """A line with its text.

    Attributes:
        text: Unicode, NFC; empty where nothing could be recognised.
        confidence: of a character of the text on average, 0 to 1, as the engine states it; None is not recorded.
        bbox: in the rectified page (rotated, then curvature undone), pixels of the stored image.
        polygon: the outline on the page as it was scanned, pixels of the stored image; empty: not recorded.
        baseline: the line's course there, from its beginning to its end; empty: not recorded.
    """

    text: str
    confidence: float | None = None
    bbox: Box | None = None
    polygon: tuple[Point, ...] = ()
    baseline: tuple[Point, ...] = ()


@frozen
class PageText:
    """A page with its lines in reading order.

    Attributes:
        image: as in the manifest.
        source_etag: of the image that was read, without quotes; None when it was never fetched.
        ok: False when the page failed; then it has no lines.
        error_stage, error_type, error_message: what went wrong; the message has at most 128 characters.
        rotation_angle: degrees by which line detection turned the page, counter-clockwise; 0 is none.
        tps_points, tps_alpha: the curvature that it found, as in ldv1's columns; None is none.
        width, height: of the stored image, pixels; None is not recorded.
        quarter_turns: how many quarter turns counter-clockwise bring the image upright, after its EXIF orientation.
        flags: what line detection found remarkable (``blank``, ``curved`` …).
        orientation: the file's EXIF orientation, 1 to 8: how viewers turn the stored image; None is not recorded.
        lines: in reading order.
    """

    image: str
    source_etag: str | None = None
    ok: bool = True
    error_stage: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    rotation_angle: float = 0.0
    tps_points: tuple[tuple[float, ...], ...] | None = None
    tps_alpha: float | None = None
    width: int | None = None
    height: int | None = None
    quarter_turns: int = 0
    flags: tuple[str, ...] = ()
    orientation: int | None = None
    lines: tuple[ReadLine, ...] = ()

    @property
    def text(self) -> str:
        """The lines' texts, one a row."""
        return "\n".join(line.text for line in self.lines)


def read_texts(parquet: bytes) -> list[PageText]:
    """The pages of an OCR job's Parquet file, in the order of the manifest.

    Raises:
        ValueError: the bytes are no Parquet file, or a column of the contract is missing.
    """
    try:
        # Arrow's own threads may still run while a program ends right afterwards, and then abort it.
        table = pq.ParquetFile(pa.BufferReader(parquet)).read(use_threads=False)
    except pa.ArrowException as error:
        raise ValueError(f"no readable Parquet file: {error}") from error
    missing = [name for name in CONTRACT if name not in table.column_names]
    if missing:
        raise ValueError(f"no recognised text: the columns {', '.join(missing)} are missing")
    known = [name for name in (*CONTRACT, *_OURS) if name in table.column_names]
    # Python's dicts of points take many times the memory of the columns: some rows at a time.
    batches = table.select(known).to_batches(max_chunksize=_ROWS_AT_ONCE)
    return [_page(row) for batch in batches for row in batch.to_pylist()]


def _page(row: dict[str, Any]) -> PageText:
    points = row["tps_points"]
    return PageText(
        image=row["img_file_name"],
        source_etag=row["source_etag"],
        ok=bool(row["ok"]),
        error_stage=row["error_stage"],
        error_type=row["error_type"],
        error_message=row["error_message"],
        rotation_angle=row["rotation_angle"] or 0.0,
        tps_points=None if points is None else tuple(tuple(point) for point in points),
        tps_alpha=row["tps_alpha"],
        width=row.get("width"),
        height=row.get("height"),
        quarter_turns=row.get("quarter_turns") or 0,
        flags=tuple(row.get("flags") or ()),
        orientation=row.get("orientation"),
        lines=_lines(row) if row["ok"] else (),
    )


def _lines(row: dict[str, Any]) -> tuple[ReadLine, ...]:
    texts = row["line_texts"] or []

    def values(name: str) -> list[Any]:
        found = row.get(name)
        if found is None:
            return [None] * len(texts)
        if len(found) != len(texts):
            raise ValueError(f"{row['img_file_name']} has {len(texts)} texts and {len(found)} {name}")
        return list(found)

    boxes = values("line_boxes" if row.get("line_boxes") is not None else "line_bboxes")
    rest = (values(name) for name in ("line_confidences", "line_polygons", "line_baselines"))
    return tuple(
        ReadLine(text or "", confidence, _box(box), _points(polygon), _points(baseline))
        for text, box, confidence, polygon, baseline in zip(texts, boxes, *rest, strict=True)
    )


def _box(box: dict[str, int] | None) -> Box | None:
    return None if box is None else (box["x"], box["y"], box["w"], box["h"])


def _points(points: list[dict[str, float]] | None) -> tuple[Point, ...]:
    return tuple((point["x"], point["y"]) for point in points or ())
