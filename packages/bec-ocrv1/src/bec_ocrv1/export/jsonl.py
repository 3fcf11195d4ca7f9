"""JSON lines, one page each: what programs of one's own read."""

from __future__ import annotations

import json

import attrs

from bec_ldv1.artifacts.writing.volume import ExportVolume
from bec_ocrv1.export.pages import ExportPage


def to_jsonl(volume: ExportVolume[ExportPage]) -> bytes:
    """The volume's file: ``image``, ``size`` [width, height], ``lines`` in reading order, ``flags``,
    ``orientation`` and ``quarter_turns`` of the picture that the size and the lines are of; the work's ``title`` and
    ``link`` (null: not known).

    Each line has its ``text``, its ``confidence``, its ``polygon`` and ``baseline`` ([[x, y], …]).
    """
    known = attrs.asdict(volume.work)
    rows = (json.dumps(_row(page) | known, ensure_ascii=False) + "\n" for page in volume.pages)
    return "".join(rows).encode("utf-8", "replace")


def _row(page: ExportPage) -> dict[str, object]:
    lines = [
        {
            "text": line.text,
            "confidence": round(line.confidence, 4),
            "polygon": line.polygon,
            "baseline": line.baseline,
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
