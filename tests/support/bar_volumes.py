"""Pages with lines of bars that a small model in the field's format reads, and what ldv1 would have found on them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from bec_ldv1.lines import Line
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord
from support.field_models import written

LATIN = "bkrashi dels/"
LEFT, TOP, GAP = 100, 80, 60
WIDTH = 700


def etag(data: bytes) -> str:
    """As sources in folders give it."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def drawn_page(texts: Sequence[str], *, width: int = WIDTH) -> bytes:
    """A PNG of grey paper with these lines, one below the other."""
    lines = [written(text, LATIN) for text in texts]
    height = 2 * TOP + sum(len(line) + GAP for line in lines)
    plane = np.full((height, width), 230, np.uint8)
    for line, (top, _) in zip(lines, _rows(texts), strict=True):
        plane[top : top + len(line), LEFT : LEFT + line.shape[1]] = line
    file = io.BytesIO()
    Image.fromarray(plane).save(file, "PNG")
    return file.getvalue()


def found_lines(name: str, data: bytes, texts: Sequence[str], *, flags: Sequence[Flag] = ()) -> PageRecord:
    """ldv1's record of such a page, its whole lines in order."""
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    lines = []
    for text, (top, bottom) in zip(texts, _rows(texts), strict=True):
        right = LEFT + written(text, LATIN).shape[1] - 1
        corners = [(LEFT, top), (right, top), (right, bottom), (LEFT, bottom)]
        course = [(LEFT, (top + bottom) / 2), (right, (top + bottom) / 2)]
        lines.append(Line(np.array(corners, np.float32), np.array(course, np.float32), 0.9))
    return PageRecord(
        name,
        etag(data),
        contours=[],
        contours_bboxes=np.empty((0, 4), np.int32),
        details=PageDetails(width, height, 0.1, lines, frozenset(flags)),
    )


def _rows(texts: Sequence[str]) -> list[tuple[int, int]]:
    """The first and last row of each line."""
    high = len(written("", LATIN))
    return [(top, top + high - 1) for top in range(TOP, TOP + len(texts) * (high + GAP), high + GAP)]
