"""What is exported: pages with their whole lines, in whole pixels of the image as it is stored."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.artifacts import PageLines, TextLine
from bec_ldv1.artifacts.writing.errors import ExportError

Pixels = npt.NDArray[np.int32]
"""Points, n × 2 (x, y): whole pixels from (0, 0), the image's upper left corner, to (width, height)."""


@attrs.frozen(eq=False)
class ExportLine:
    """A line: its region, its course from the left to the right, and the detector's confidence, 0 to 1."""

    polygon: Pixels
    baseline: Pixels
    confidence: float


@attrs.frozen(eq=False)
class ExportPage:
    """A page: ``image`` as in the manifest, size in pixels, lines in reading order, names of `details.Flag`."""

    image: str
    width: int
    height: int
    lines: Sequence[ExportLine]
    flags: Sequence[str] = ()


def page_of(page: PageLines) -> ExportPage:
    """The page to export from what the artifact says of it.

    Raises:
        ExportError: the page's size is not known; or a line's outline has under three points, or its baseline
            under two.
    """
    if page.width is None or page.height is None:
        raise ExportError(f"the size of {page.image} is not recorded")
    limits = np.array([page.width, page.height])
    for number, line in enumerate(page.lines, start=1):
        if len(line.polygon) < 3 or len(line.baseline) < 2:
            raise ExportError(f"line {number} of {page.image} has an outline of {len(line.polygon)} points")
    lines = [_line_of(line, limits) for line in page.lines]
    return ExportPage(page.image, page.width, page.height, lines, sorted(page.flags))


def _line_of(line: TextLine, limits: npt.NDArray[np.int_]) -> ExportLine:
    def whole(points: npt.NDArray[np.float32]) -> Pixels:
        return np.clip(np.rint(points), 0, limits).astype(np.int32)

    confidence = 1.0 if line.confidence is None else min(1.0, max(0.0, line.confidence))
    return ExportLine(whole(line.polygon), whole(line.baseline), confidence)
