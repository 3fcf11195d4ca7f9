"""What is exported: pages with their lines' texts, in whole pixels of the image as it is stored."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ocrv1.artifacts import PageText, Point, ReadLine

Pixels = tuple[tuple[int, int], ...]
"""Points x, y: whole pixels from (0, 0), the image's upper left corner, to (width, height)."""


@frozen
class ExportLine:
    """A line: its text, the text's confidence (0 to 1), its region, its course from its beginning to its end."""

    text: str
    confidence: float
    polygon: Pixels
    baseline: Pixels


@frozen
class ExportPage:
    """A page: ``image`` as in the manifest, size in pixels, lines in reading order, what line detection remarked."""

    image: str
    width: int
    height: int
    lines: Sequence[ExportLine]
    flags: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The lines' texts, each ended by a line feed."""
        return "".join(f"{line.text}\n" for line in self.lines)


def page_of(page: PageText) -> ExportPage:
    """The page to export from what is recorded of it.

    Raises:
        ExportError: its size or a line's place is not recorded.
    """
    if page.width is None or page.height is None:
        raise ExportError(
            f"the size of {page.image} is not recorded: the file has only the contract's columns; "
            f"run the job again over the volume"
        )
    limits = (page.width, page.height)
    return ExportPage(
        page.image,
        *limits,
        [_line_of(line, number, page.image, limits) for number, line in enumerate(page.lines, start=1)],
        page.flags,
    )


def _line_of(line: ReadLine, number: int, image: str, limits: tuple[int, int]) -> ExportLine:
    if len(line.polygon) < 3 or len(line.baseline) < 2:
        raise ExportError(f"line {number} of {image} has an outline of {len(line.polygon)} points")
    sure = min(1.0, max(0.0, line.confidence or 0.0))
    return ExportLine(line.text, sure, _whole(line.polygon, limits), _whole(line.baseline, limits))


def _whole(points: tuple[Point, ...], limits: tuple[int, int]) -> Pixels:
    width, height = limits
    return tuple((min(width, max(0, round(x))), min(height, max(0, round(y)))) for x, y in points)
