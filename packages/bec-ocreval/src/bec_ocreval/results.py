"""What an evaluation says of a page and of a volume, and the two artifacts that hold it.

``{basename}.jsonl`` has a row for each page (its texts too, so that a report or a comparison needs nothing
else), ``{basename}.json`` the volume's sums.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import cattrs
from attrs import frozen
from cattrs.errors import BaseValidationError

from bec_ocreval.errors import ResultsError
from bec_ocreval.scoring.confusions import Confusion
from bec_ocreval.scoring.rates import Edits, PageScore

_T = TypeVar("_T")

PAGES, SUMMARY = ".jsonl", ".json"
"""The artifacts' suffixes."""


class Sign(StrEnum):
    """Why a page should be looked at, the gravest first."""

    FAILED = "failed"
    MISSING = "missing"
    ERRORS = "errors"
    EMPTY = "empty"
    REPEATED = "repeated"
    SPELLING = "spelling"
    FOREIGN = "foreign"
    SANSKRIT = "sanskrit"
    CONFIDENCE = "confidence"


@frozen
class Reason:
    """Why this page should be looked at, in words for people."""

    sign: Sign
    words: str


@frozen
class Truth:
    """A page's ground truth: its lines, the file that it comes from, and how the reading does against it."""

    lines: tuple[str, ...]
    source: str
    score: PageScore


@frozen
class Spelling:
    """A reading's syllables by kind, as :class:`bec_ocreval.spelling.check.Kind` has them."""

    well_formed: int = 0
    ill_formed: int = 0
    sanskrit: int = 0
    sign: int = 0
    foreign: int = 0

    @property
    def judged(self) -> int:
        """Those that the rules of spelling can be asked about: neither Sanskrit nor numbers and signs."""
        return self.well_formed + self.ill_formed + self.foreign

    @property
    def total(self) -> int:
        """All of them."""
        return self.judged + self.sanskrit + self.sign

    @property
    def share(self) -> float | None:
        """The share of well-formed ones among those judged; None where there are none."""
        return self.well_formed / self.judged if self.judged else None


@frozen
class PageResult:
    """One page.

    Attributes:
        image: the image's file name.
        lines: what was read, in reading order.
        confidences: one for each line; None if the OCR job doesn't say.
        confidence: their mean.
        characters: how many were read, without white space.
        foreign: how many of these are not Tibetan.
        spelling: the syllables that were read.
        truth: the ground truth, where there is some.
        reasons: why the page should be looked at; none if it need not.
    """

    image: str
    lines: tuple[str, ...]
    confidences: tuple[float, ...] | None
    confidence: float | None
    characters: int
    foreign: int
    spelling: Spelling
    truth: Truth | None
    reasons: tuple[Reason, ...]

    @property
    def blank(self) -> bool:
        """Whether nothing was read, and nothing says that this is wrong."""
        return not self.characters and not self.reasons


@frozen
class Confusions:
    """The most frequent edits of a volume."""

    characters: tuple[Confusion, ...] = ()
    syllables: tuple[Confusion, ...] = ()


@frozen
class VolumeResult:
    """A volume's sums.

    Attributes:
        pages: all of them.
        scored: those with ground truth.
        flagged: those with a reason to look at them.
        blank: those where nothing was read and nothing says that this is wrong.
        characters, syllables: the edits and the truth's length over the scored pages.
        lines: lines with a confidence.
        confidence: the mean confidence of these.
        spelling: the syllables read on all pages.
        signs: how many pages have which reason.
        confusions: over the scored pages.
    """

    pages: int
    scored: int
    flagged: int
    blank: int
    characters: Edits
    syllables: Edits
    lines: int
    confidence: float | None
    spelling: Spelling
    signs: Mapping[str, int]
    confusions: Confusions


_CONVERTER = cattrs.Converter()


def page_rows(pages: Sequence[PageResult]) -> bytes:
    """The artifact of the pages."""
    rows = (json.dumps(_CONVERTER.unstructure(page), ensure_ascii=False, allow_nan=False) for page in pages)
    return "".join(row + "\n" for row in rows).encode("utf-8", "replace")


def read_pages(data: bytes) -> list[PageResult]:
    """The pages of the artifact.

    Raises:
        ResultsError: it is not one of ours.
    """
    return [
        _structured(row, PageResult, f"line {number}")
        for number, row in enumerate(data.splitlines(), 1)
        if row
    ]


def summary(volume: VolumeResult) -> bytes:
    """The artifact of the volume; the rates stand in it for who reads it by hand."""
    content: dict[str, Any] = _CONVERTER.unstructure(volume)
    rates = {
        "cer": volume.characters.rate,
        "ser": volume.syllables.rate,
        "well_formed": volume.spelling.share,
    }
    return (json.dumps({**rates, **content}, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode(
        "utf-8", "replace"
    )


def read_summary(data: bytes) -> VolumeResult:
    """The volume of the artifact.

    Raises:
        ResultsError: it is not one of ours.
    """
    return _structured(data, VolumeResult, "the volume's sums")


def _structured(data: bytes, kind: type[_T], what: str) -> _T:
    try:
        return _CONVERTER.structure(json.loads(data), kind)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, BaseValidationError) as error:
        raise ResultsError(f"{what} of the evaluation can't be read: {error}") from error
