"""What a job type can say of a result that it finished long ago, from its artifacts and without what its workers need.

`JobType.figures` names a :class:`FiguresReader`, `JobType.truth` a :class:`TruthMaker`. Both run where people look at
results (``bec volumes``, ``bec marks``), so they must import neither a model nor its framework.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Protocol

from attrs import field, frozen


class PageLevel(StrEnum):
    """What a person should do with a page of a result."""

    SUSPICIOUS = "suspicious"
    """Look at it."""
    BLANK = "blank"
    """Nothing: there is nothing on it."""
    FINE = "fine"
    """Nothing: all seems well."""
    FAILED = "failed"
    """See why it failed; there is no result to look at."""


VERDICTS = ("good", "look", "bad")
"""What the metric ``verdict`` stands for, from 0 on: nothing to do; look at it; it needs attention."""

_FAILED = 0.05  # shares of the pages
_ATTENTION = 0.1
_LOOK = 0.02


def verdict_of(*, pages: int, failed: int, suspicious: int, empty: bool) -> int:
    """A volume in a word, the same for all job types: the word's place in :data:`VERDICTS`.

    *bad*: more than 5 % of the pages failed, or more than 10 % (and more than two) failed or are suspicious, or there
    are no pages; *look*: any page failed, or more than 2 % are suspicious, or there is nothing on any; else *good*.

    Args:
        pages: all of them.
        failed: those without a result.
        suspicious: those that a person should look at.
        empty: nothing was found on any page, even if all of it is blank.
    """
    if not pages or failed > _FAILED * pages or failed + suspicious > max(2, _ATTENTION * pages):
        return VERDICTS.index("bad")
    return VERDICTS.index("look" if failed or suspicious > _LOOK * pages or empty else "good")


@frozen
class PageFigures:
    """A page of a result: its image's file name, its level, its score (0 to 100, None: not known) and the reasons."""

    image: str
    level: PageLevel
    score: float | None = None
    reasons: tuple[str, ...] = ()


@frozen
class ResultFigures:
    """A volume's result: the metrics that its job type declares (as far as they are known), and its pages in order.

    A type of which pages can be sampled gives ``pages``, ``suspicious`` and ``blank``: how many pages there are that
    did not fail, and how many of these have that level.
    """

    metrics: Mapping[str, float] = field(factory=dict)
    pages: tuple[PageFigures, ...] = ()


class StoredResult(Protocol):
    """A finished volume's artifacts; its pages are not at hand."""

    @property
    def basename(self) -> str:
        """What the artifacts' names begin with."""
        ...

    @property
    def marker(self) -> Mapping[str, Any]:
        """The content of ``success.json``."""
        ...

    def artifact(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``."""
        ...


class FiguresReader(Protocol):
    """Reads a result's figures."""

    def __call__(self, result: StoredResult) -> ResultFigures:
        """The figures.

        Raises:
            ValueError: the artifacts can't be read; the message says why.
        """
        ...


class TruthMaker(Protocol):
    """Makes ground truth, rows of JSON lines that the job type's own evaluation reads, of pages that people looked at.

    A row's ``image`` is the page's file name.
    """

    def predicted(self, result: StoredResult, images: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """The rows of these pages as the result has them, by image; one that is not there is left out.

        Raises:
            ValueError: the artifacts can't be read, or hold too little.
        """
        ...

    def corrected(self, data: bytes, image: str) -> Mapping[str, Any]:
        """The row of a page from a file in which somebody corrected it (PAGE or ALTO XML).

        Raises:
            ValueError: the file can't be read, or holds not one page.
        """
        ...
