"""What is exported: pages with their lines' texts, in whole pixels of the image as it is stored or as it is shown."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.picture import Picture
from bec_ocrv1.artifacts import PageText, Point, ReadLine

Pixels = tuple[tuple[int, int], ...]
"""Points x, y: whole pixels from (0, 0), the picture's upper left corner, to (width, height)."""


@frozen
class ExportLine:
    """A line: its text, the text's confidence (0 to 1), its region, its course from its beginning to its end."""

    text: str
    confidence: float
    polygon: Pixels
    baseline: Pixels


@frozen
class ExportPage:
    """A page: ``image`` as in the manifest, size in pixels, lines in reading order, what line detection remarked.

    ``orientation`` and ``quarter_turns`` are those of the `Picture` that size and lines are of.
    """

    image: str
    width: int
    height: int
    lines: Sequence[ExportLine]
    flags: Sequence[str] = ()
    orientation: int = 1
    quarter_turns: int = 0

    @property
    def text(self) -> str:
        """The lines' texts, each ended by a line feed."""
        return "".join(f"{line.text}\n" for line in self.lines)


def page_of(page: PageText, *, as_shown: bool = False) -> ExportPage:
    """The page to export from what is recorded of it, as its image is stored or ``as_shown`` by viewers.

    Raises:
        ExportError: its size (or orientation, if it is needed) or a line's place is not recorded.
    """
    picture = Picture.of(page, as_shown=as_shown)
    return ExportPage(
        page.image,
        picture.width,
        picture.height,
        [_line_of(line, number, page.image, picture) for number, line in enumerate(page.lines, start=1)],
        page.flags,
        picture.orientation,
        picture.quarter_turns,
    )


def _line_of(line: ReadLine, number: int, image: str, picture: Picture) -> ExportLine:
    if len(line.polygon) < 3 or len(line.baseline) < 2:
        raise ExportError(f"line {number} of {image} has an outline of {len(line.polygon)} points")
    sure = min(1.0, max(0.0, line.confidence or 0.0))
    return ExportLine(line.text, sure, _pixels(line.polygon, picture), _pixels(line.baseline, picture))


def _pixels(points: tuple[Point, ...], picture: Picture) -> Pixels:
    return tuple((x, y) for x, y in picture.pixels(points).tolist())
