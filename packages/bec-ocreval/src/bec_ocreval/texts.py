"""What an OCR job read: the Parquet file of any job that writes the contract's columns.

``img_file_name``, ``ok``, ``error_message`` and ``line_texts`` are needed; ``line_confidences`` is used
where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from attrs import frozen

from bec_core import Page
from bec_ocreval.errors import TextsError

NEEDED = ("img_file_name", "line_texts", "ok", "error_message")
CONFIDENCES = "line_confidences"


@frozen
class ReadPage:
    """A page as an OCR job read it.

    Attributes:
        image: the image's file name.
        lines: the lines' texts in reading order.
        confidences: 0 to 1, one for each line; None if the job doesn't say.
        error: why the job failed at this page; None if it didn't.
    """

    image: str
    lines: tuple[str, ...] = ()
    confidences: tuple[float, ...] | None = None
    error: str | None = None


def read_texts(parquet: bytes) -> list[ReadPage]:
    """The pages of an OCR job's Parquet file in its order.

    Raises:
        TextsError: it is none, or a column is missing or holds something else.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(parquet))
        names = file.schema_arrow.names
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise TextsError(
                f"the Parquet file has no column {', '.join(missing)}: an OCR job writes {', '.join(NEEDED)}"
            )
        wanted = [*NEEDED, CONFIDENCES] if CONFIDENCES in names else list(NEEDED)
        # Arrow's own threads may still run while a program ends right afterwards, and then abort it.
        rows = file.read(columns=wanted, use_threads=False).to_pylist()
        return [_page(row) for row in rows]
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        raise TextsError(f"the OCR job's Parquet file can't be read: {error}") from error


def _page(row: dict[str, object]) -> ReadPage:
    """One row."""
    image, texts, confidences = row["img_file_name"], row["line_texts"], row.get(CONFIDENCES)
    if not isinstance(image, str):
        raise TypeError(f"img_file_name holds {image!r}")
    if not row["ok"]:
        return ReadPage(image, error=str(row["error_message"] or "the OCR job gave no reason"))
    lines = _texts(texts)
    return ReadPage(image, lines, _confidences(confidences, len(lines)))


def _texts(value: object) -> tuple[str, ...]:
    """A page's lines; a line without text is an empty one."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(line is None or isinstance(line, str) for line in value):
        raise TypeError("line_texts holds something else than lists of texts")
    return tuple(line or "" for line in value)


def _confidences(value: object, lines: int) -> tuple[float, ...] | None:
    """A page's confidences, if there is one for each line."""
    if not isinstance(value, list):
        return None
    numbers = [number for number in value if isinstance(number, float | int) and math.isfinite(number)]
    return tuple(float(number) for number in numbers) if len(numbers) == lines else None


def of_pages(read: Sequence[ReadPage], pages: Sequence[Page]) -> list[ReadPage | None]:
    """What was read of each page: row by row where the names agree, else by name; None where there is no row."""
    if [one.image for one in read] == [page.filename for page in pages]:
        return list(read)
    by_name = {one.image: one for one in read}
    return [by_name.get(page.filename) for page in pages]
