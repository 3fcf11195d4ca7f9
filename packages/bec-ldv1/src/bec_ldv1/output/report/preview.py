"""The picture that stands for a volume in the job's list: a usual page with its lines, from what was drawn already."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bec_ldv1.output.report.view import PageView, VolumeView
from bec_ldv1.record.suspicion import Level

PREVIEW = "preview.jpg"
"""Its name in the volume's folder."""

BOX = (360, 200)
"""It fits into this box, width and height: twice what the list shows, for fine screens."""

_COLOURS = ((0, 112, 127), (184, 72, 15))  # as the style sheet's --line-a and --line-b, in turn
_FILL = 0.13
_QUALITY = 74
_FINER = 4  # bits of a pixel's fraction in which OpenCV draws


def typical_page(volume: VolumeView) -> PageView | None:
    """A page that shows what the volume is like: nothing wrong with it, the usual number of lines, near the middle.

    Where no page is fine, one with lines; where none has lines, any that can be seen; None where none can.
    """
    seen = [page for page in volume.pages if page.picture is not None]
    counts = sorted(page.facts.lines for page in seen if page.facts.lines)
    usual = counts[len(counts) // 2] if counts else 0
    middle = (len(volume.pages) + 1) / 2

    def unlike(page: PageView) -> tuple[bool, bool, int, float]:
        return (
            not page.facts.lines,
            page.findings.level is not Level.FINE,
            abs(page.facts.lines - usual),
            abs(page.number - middle),
        )

    return min(seen, key=unlike, default=None)


def save_preview(volume: VolumeView, folder: Path) -> float | None:
    """Write the volume's preview into its folder; its width over its height, None where no page can be shown.

    Raises:
        OSError: it can't be written, or the page's thumbnail not be read.
    """
    page = typical_page(volume)
    if page is None:
        return None
    with Image.open(folder / "thumbs" / str(page.picture)) as thumb:
        small = thumb.convert("RGB")
    small.thumbnail(BOX, Image.Resampling.LANCZOS)
    drawn = _with_lines(np.array(small), page)
    Image.fromarray(drawn).save(folder / PREVIEW, "JPEG", quality=_QUALITY)
    return small.width / small.height


def _with_lines(
    raster: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], page: PageView
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The raster with the page's outlines filled faintly and drawn around, in two colours by turns."""
    scale = np.array([raster.shape[1] / page.width, raster.shape[0] / page.height]) * (1 << _FINER)
    shapes = [
        (np.rint(outline.points * scale).astype(np.int32), _COLOURS[index % 2])
        for index, outline in enumerate(page.outlines)
    ]
    filled = raster.copy()
    for points, colour in shapes:
        cv2.fillPoly(filled, [points], colour, cv2.LINE_AA, _FINER)
    drawn = np.asarray(cv2.addWeighted(filled, _FILL, raster, 1 - _FILL, 0), np.uint8)
    for points, colour in shapes:
        cv2.polylines(drawn, [points], True, colour, 1, cv2.LINE_AA, _FINER)
    return drawn
