"""COCO's object annotations: what detectors are trained and compared with."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from bec_ldv1.artifacts.writing.outlines import box
from bec_ldv1.artifacts.writing.volume import ExportVolume
from bec_ldv1.output.export.pages import ExportLine, ExportPage, Pixels

_CATEGORY = {"id": 1, "name": "text line", "supercategory": "text"}


def to_coco(volume: ExportVolume[ExportPage], creator: str) -> bytes:
    """The volume's file: an image per page, an annotation per line with its outline as segmentation.

    Ids count from 1; annotations are in reading order, page after page. ``score`` is the confidence.
    """
    annotations: list[dict[str, Any]] = []
    images = []
    for number, page in enumerate(volume.pages, start=1):
        images.append({"id": number, "file_name": page.image, "width": page.width, "height": page.height})
        for line in page.lines:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **_annotation(line)})
    info = {"description": volume.name, "contributor": creator}
    whole = {"info": info, "images": images, "annotations": annotations, "categories": [_CATEGORY]}
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace")


def _annotation(line: ExportLine) -> dict[str, Any]:
    left, top, right, bottom = box(line.polygon)
    return {
        "category_id": _CATEGORY["id"],
        "segmentation": [line.polygon.ravel().tolist()],
        "area": _area(line.polygon),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 0,
        "score": round(line.confidence, 4),
    }


def _area(polygon: Pixels) -> float:
    """The shoelace formula; halves of a square pixel occur."""
    x, y = polygon.astype(np.float64).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
