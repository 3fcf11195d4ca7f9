"""Finished volumes made up in memory, for tests of what reads them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from attrs import field, frozen
from PIL import Image

from bec_core import Page, PageData, PageError, Volume, VolumeRef, Work
from bec_ldv1.record.records import PageRecord, to_parquet


def strokes(lines: int, *, size: tuple[int, int] = (900, 300), pitch: int = 60) -> bytes:
    """A PNG of coloured paper with thick strokes as lines, the first at y = 60, ``pitch`` px apart."""
    plane = np.full((size[1], size[0], 3), (240, 228, 214), np.uint8)
    for i in range(lines):
        cv2.line(plane, (100, 60 + pitch * i), (size[0] - 100, 60 + pitch * i), (20, 20, 30), 9)
    sink = io.BytesIO()
    Image.fromarray(plane).save(sink, "PNG")
    return sink.getvalue()


@frozen
class MadeVolume:
    """A :class:`bec_core.ReportVolume` whose pages and artifacts are given; a missing page is a PageError."""

    volume: Volume
    artifacts: Mapping[str, bytes]
    picture: Callable[[str], bytes]
    marker: Mapping[str, Any] = field(factory=dict)
    work: Work = Work()
    served_at: str | None = None

    @property
    def basename(self) -> str:
        return f"{self.volume.ref.w_id}-{self.volume.ref.i_id}-{self.volume.version}"

    def artifact(self, suffix: str) -> bytes:
        return self.artifacts[suffix]

    def read_page(self, page: Page) -> PageData:
        try:
            return PageData(self.picture(page.filename), "0" * 32, f"file:///{page.filename}")
        except KeyError:
            raise PageError(f"there is no image {page.filename}", stage="fetch") from None


def made_volume(
    records: Sequence[PageRecord],
    picture: Callable[[str], bytes],
    *,
    w_id: str = "W1",
    i_id: str = "I1",
    errors: bytes = b"",
    marker: Mapping[str, Any] | None = None,
) -> MadeVolume:
    """A volume with one page per record."""
    pages = tuple(Page(i, record.img_file_name) for i, record in enumerate(records))
    artifacts = {".parquet": to_parquet(records)} | ({"-errors.jsonl": errors} if errors else {})
    volume = Volume(VolumeRef(w_id, i_id), b"\x12" * 16, "121212", pages)
    return MadeVolume(volume, artifacts, picture, marker or {})
