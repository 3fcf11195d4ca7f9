"""JSON lines, one page each: the form that ``bec ldv1 evaluate`` reads as truth and as predictions."""

from __future__ import annotations

import json

import attrs

from bec_ldv1.artifacts.writing.volume import ExportVolume
from bec_ldv1.output.export.pages import ExportPage


def to_jsonl(volume: ExportVolume[ExportPage]) -> bytes:
    """The volume's file: ``image``, ``size`` [width, height], ``lines`` in reading order, ``flags``,
    ``orientation`` and ``quarter_turns`` of the picture that the size and the lines are of; the work's ``title`` and
    ``link`` (null: not known).

    Each line has its ``polygon`` and ``baseline`` ([[x, y], …]) and its ``confidence``.
    """
    known = attrs.asdict(volume.work)
    rows = (json.dumps(_row(page) | known, ensure_ascii=False) + "\n" for page in volume.pages)
    return "".join(rows).encode("utf-8", "replace")


def _row(page: ExportPage) -> dict[str, object]:
    lines = [
        {
            "polygon": line.polygon.tolist(),
            "baseline": line.baseline.tolist(),
            "confidence": round(line.confidence, 4),
        }
        for line in page.lines
    ]
    return {
        "image": page.image,
        "size": [page.width, page.height],
        "lines": lines,
        "flags": list(page.flags),
        "orientation": page.orientation,
        "quarter_turns": page.quarter_turns,
    }
