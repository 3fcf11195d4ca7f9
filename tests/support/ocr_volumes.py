"""What an OCR job would have written, and a task's context made up in memory, for tests of what reads texts."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from attrs import field, frozen

from bec_core import Page, PageData, PageError, Volume, VolumeRef, Work
from bec_ocreval.config import OcrEvalConfig
from bec_ocreval.evaluate import evaluate_page, evaluate_volume
from bec_ocreval.results import page_rows, summary
from bec_ocreval.texts import ReadPage
from bec_ocreval.truth.values import TruthPage

SCHEMA = pa.schema(
    [
        ("img_file_name", pa.string()),
        ("source_etag", pa.string()),
        ("rotation_angle", pa.float32()),
        ("tps_points", pa.list_(pa.list_(pa.float32()))),
        ("tps_alpha", pa.float32()),
        ("line_bboxes", pa.list_(pa.struct([(name, pa.int16()) for name in "xywh"]))),
        ("line_texts", pa.list_(pa.string())),
        ("nb_lines", pa.int32()),
        ("ok", pa.bool_()),
        ("error_stage", pa.string()),
        ("error_type", pa.string()),
        ("error_message", pa.string()),
    ]
)
"""The contract's columns, as in the table that all OCR jobs write."""


@frozen
class Read:
    """A page as the OCR job read it."""

    image: str
    lines: Sequence[str] = ()
    confidences: Sequence[float] | None = None
    error: str | None = None


def ocr_parquet(pages: Sequence[Read], *, confidences: bool = True, without: str = "") -> bytes:
    """The Parquet file of an OCR job; ``without`` names a column that it forgot."""
    rows: list[dict[str, Any]] = [
        {
            "img_file_name": page.image,
            "line_texts": None if page.error else list(page.lines),
            "nb_lines": len(page.lines),
            "ok": page.error is None,
            "error_message": page.error,
            "line_confidences": None if page.confidences is None else list(page.confidences),
        }
        for page in pages
    ]
    schema = SCHEMA.append(pa.field("line_confidences", pa.list_(pa.float32()))) if confidences else SCHEMA
    table = pa.Table.from_pylist(rows, schema)
    sink = io.BytesIO()
    pq.write_table(table.drop_columns([without]) if without else table, sink)
    return sink.getvalue()


def volume_of(images: Sequence[str], *, w_id: str = "W1", i_id: str = "I1") -> Volume:
    """A volume of these pages."""
    pages = tuple(Page(index, image) for index, image in enumerate(images))
    return Volume(VolumeRef(w_id, i_id), b"\x12" * 16, "121212", pages)


@frozen
class EvaluatedVolume:
    """A :class:`bec_core.ReportVolume` whose artifacts are given."""

    volume: Volume
    artifacts: Mapping[str, bytes]
    marker: Mapping[str, Any] = field(factory=dict)
    work: Work = Work()
    served_at: str | None = None

    @property
    def basename(self) -> str:
        return f"{self.volume.ref.w_id}-{self.volume.ref.i_id}-{self.volume.version}"

    def artifact(self, suffix: str) -> bytes:
        return self.artifacts[suffix]

    def read_page(self, page: Page) -> PageData:
        raise PageError(f"nobody wants {page.filename}", stage="fetch")


HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\u202egnp.jpg"
"""A name or text that tries to be more."""

EvaluatedPage = tuple[str, tuple[str, ...] | None, tuple[str, ...] | None]
"""Image, lines read (None: failed), lines of the truth (None: none)."""


def evaluated(pages: Sequence[EvaluatedPage], **names: str) -> EvaluatedVolume:
    """A volume as the job would have evaluated it."""
    results = []
    for image, lines, true in pages:
        read = ReadPage(image, error="boom") if lines is None else ReadPage(image, lines, (0.9,) * len(lines))
        truth = None if true is None else TruthPage(true, frozenset(), frozenset(), (), f"{image}.txt")
        results.append(evaluate_page(image, read, truth, OcrEvalConfig()))
    artifacts = {".jsonl": page_rows(results), ".json": summary(evaluate_volume(results, 100))}
    return EvaluatedVolume(volume_of([page[0] for page in pages], **names), artifacts)
