"""Pages with outlined lines, as the formats below see them, and their points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from bec_ldv1.page.orientation import turned, turns_of

Points = Iterable[Iterable[int]]
"""Points x, y: whole pixels from (0, 0), the image's upper left corner, to (width, height)."""


class OutlinedLine(Protocol):
    """A line: its region, and its course from its beginning to its end."""

    @property
    def polygon(self) -> Points:
        """The region."""
        ...

    @property
    def baseline(self) -> Points:
        """The course."""
        ...


class OutlinedPage(Protocol):
    """A page: ``image`` as in the manifest, size in pixels, lines in reading order, names of `Flag`.

    The size and the lines are of a `Picture`, and so are the orientation and the quarter turns.
    """

    @property
    def image(self) -> str:
        """The image's name."""
        ...

    @property
    def width(self) -> int:
        """Of the image."""
        ...

    @property
    def height(self) -> int:
        """Of the image."""
        ...

    @property
    def orientation(self) -> int:
        """The EXIF orientation that has still to be applied to the picture."""
        ...

    @property
    def quarter_turns(self) -> int:
        """How many quarter turns counter-clockwise bring the picture upright after that."""
        ...

    @property
    def lines(self) -> Sequence[OutlinedLine]:
        """In reading order."""
        ...

    @property
    def flags(self) -> Sequence[str]:
        """What is remarkable about the page."""
        ...


def text_angle(page: OutlinedPage) -> int:
    """By how many degrees counter-clockwise the text is turned on the page's picture: 0, 90, 180 or 270.

    A mirrored picture counts as not turned: no turn makes its text readable.
    """
    turns = turns_of(turned(page.orientation, page.quarter_turns))
    return -90 * (turns or 0) % 360


def box(*parts: Points) -> tuple[int, int, int, int]:
    """The bounding box of all points: left, top, right, bottom."""
    points = [(int(x), int(y)) for part in parts for x, y in part]
    across, down = zip(*points, strict=True)
    return min(across), min(down), max(across), max(down)


def pairs(points: Points) -> str:
    """Points as PAGE writes them: ``x,y x,y``."""
    return " ".join(f"{x},{y}" for x, y in points)


def numbers(points: Points) -> str:
    """Points as hOCR and eScriptorium's ALTO write them: ``x y x y``."""
    return " ".join(f"{x} {y}" for x, y in points)
