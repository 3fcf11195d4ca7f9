"""What the report shows, apart from where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from bec_core import Work
from bec_ocrv1.text import DOUBTFUL, UNSURE, characters


@frozen
class LineView:
    """A line: its number on its page (from 1), its text, the file of its image, and where it stands.

    Attributes:
        polygon: in pixels of the page's picture; empty where there is none.
        crop: the image's file relative to the volume's folder, None where it could not be cut.
        size: the image's width and height as it is shown.
    """

    number: int
    text: str
    confidence: float
    polygon: tuple[tuple[int, int], ...] = ()
    crop: str | None = None
    size: tuple[int, int] = (0, 0)

    @property
    def level(self) -> str:
        """How sure the engine is, in a word."""
        if self.confidence < UNSURE:
            return "unsure"
        return "doubtful" if self.confidence < DOUBTFUL else "sure"


@frozen
class PageView:
    """A page.

    Attributes:
        number: 1 for the volume's first page.
        filename: as in the manifest; anything may stand in it.
        name: of its own files, without folder and suffix.
        lines: in reading order.
        picture: its picture's file relative to the volume's folder, None where there is none.
        size: the picture's width and height.
        unseen: why there is no picture, None where there is one.
        error: why the page has no text, None if it was read.
    """

    number: int
    filename: str
    name: str
    lines: tuple[LineView, ...] = ()
    picture: str | None = None
    size: tuple[int, int] = (0, 0)
    unseen: str | None = None
    error: str | None = None

    @property
    def confidence(self) -> float | None:
        """The mean confidence of its characters; None without a character."""
        return mean_confidence(self.lines)


@frozen
class VolumeView:
    """A volume.

    Attributes:
        title: as people name it.
        version: of its images.
        folder: where its files lie, relative to the job's page.
        pages: in reading order.
        marker: the content of ``success.json``.
        unreadable: why nothing can be shown, None for a volume that could be read.
        work: what the catalogue says of its work.
    """

    title: str
    version: str
    folder: str
    pages: Sequence[PageView]
    marker: Mapping[str, Any]
    unreadable: str | None = None
    work: Work = Work()

    @property
    def lines(self) -> list[tuple[PageView, LineView]]:
        """All lines with their pages."""
        return [(page, line) for page in self.pages for line in page.lines]


def mean_confidence(lines: Sequence[LineView]) -> float | None:
    """The mean over the lines, weighed by their characters; None without a character."""
    weights = [characters(line.text) for line in lines]
    total = sum(weights)
    if not total:
        return None
    return sum(weight * line.confidence for weight, line in zip(weights, lines, strict=True)) / total
