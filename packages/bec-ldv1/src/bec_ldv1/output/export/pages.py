"""What is exported: pages with their whole lines, in whole pixels of the image as it is stored or as it is shown."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from bec_ldv1.artifacts import PageLines, TextLine
from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.picture import Picture

Pixels = npt.NDArray[np.int32]
"""Points, n × 2 (x, y): whole pixels from (0, 0), the picture's upper left corner, to (width, height)."""


@attrs.frozen(eq=False)
class ExportLine:
    """A line: its region, its course from the left to the right, and the detector's confidence, 0 to 1."""

    polygon: Pixels
    baseline: Pixels
    confidence: float


@attrs.frozen(eq=False)
class ExportPage:
    """A page: ``image`` as in the manifest, size in pixels, lines in reading order, names of `Flag`.

    ``orientation`` and ``quarter_turns`` are those of the `Picture` that size and lines are of.
    """

    image: str
    width: int
    height: int
    lines: Sequence[ExportLine]
    flags: Sequence[str] = ()
    orientation: int = 1
    quarter_turns: int = 0


def page_of(page: PageLines, *, as_shown: bool = False) -> ExportPage:
    """The page to export from what the artifact says of it, as its image is stored or ``as_shown`` by viewers.

    Raises:
        ExportError: the page's size (or orientation, if it is needed) is not known; or a line's outline has under
            three points, or its baseline under two.
    """
    picture = Picture.of(page, as_shown=as_shown)
    for number, line in enumerate(page.lines, start=1):
        if len(line.polygon) < 3 or len(line.baseline) < 2:
            raise ExportError(f"line {number} of {page.image} has an outline of {len(line.polygon)} points")
    return ExportPage(
        page.image,
        picture.width,
        picture.height,
        [_line_of(line, picture) for line in page.lines],
        sorted(page.flags),
        picture.orientation,
        picture.quarter_turns,
    )


def _line_of(line: TextLine, picture: Picture) -> ExportLine:
    confidence = 1.0 if line.confidence is None else min(1.0, max(0.0, line.confidence))
    return ExportLine(picture.pixels(line.polygon), picture.pixels(line.baseline), confidence)
