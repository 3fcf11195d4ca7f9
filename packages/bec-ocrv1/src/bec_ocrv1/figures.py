"""A volume's figures, counted page by page; and the job type's `bec_core.FiguresReader`. No engine."""

from __future__ import annotations

from bec_core import PageFigures, PageLevel, ResultFigures, StoredResult, verdict_of
from bec_ocrv1.artifacts import PageText, read_texts
from bec_ocrv1.text import UNSURE, characters


class VolumeFigures:
    """Takes a volume's pages in their order."""

    def __init__(self) -> None:
        self._pages: list[PageFigures] = []
        self._lines = self._characters = 0
        self._sure = 0.0
        self._stated = True

    def add(self, page: PageText) -> None:
        """Take the next page."""
        weights = [characters(line.text) for line in page.lines]
        sure = sum(
            weight * (line.confidence or 0.0) for weight, line in zip(weights, page.lines, strict=True)
        )
        stated = all(line.confidence is not None for line in page.lines)
        self._lines += len(page.lines)
        self._characters += sum(weights)
        self._sure += sure
        self._stated &= stated
        self._pages.append(_judged(page, sum(weights), sure if stated else None))

    @property
    def metrics(self) -> dict[str, float]:
        """As the job type declares them; without a character, or where none is stated, there is no confidence."""
        levels = [page.level for page in self._pages]
        pages = len(levels) - levels.count(PageLevel.FAILED)
        found: dict[str, float] = {
            "lines": self._lines,
            "characters": self._characters,
            "pages": pages,
            "blank": levels.count(PageLevel.BLANK),
            "suspicious": levels.count(PageLevel.SUSPICIOUS),
            "verdict": verdict_of(
                pages=len(levels),
                failed=levels.count(PageLevel.FAILED),
                suspicious=levels.count(PageLevel.SUSPICIOUS),
                empty=not self._characters,
            ),
        }
        if pages:
            found["lines_a_page"] = self._lines / pages
        if self._characters and self._stated:
            found["confidence"] = self._sure / self._characters
        return found

    @property
    def result(self) -> ResultFigures:
        """All of it for who looks at results."""
        return ResultFigures(self.metrics, tuple(self._pages))


def _judged(page: PageText, read: int, sure: float | None) -> PageFigures:
    """A page is suspicious if its characters are unsure on average; its score is how unsure they are."""
    if not page.ok:
        return PageFigures(page.image, PageLevel.FAILED)
    if not read:
        return PageFigures(page.image, PageLevel.BLANK)
    if sure is None:
        return PageFigures(page.image, PageLevel.FINE)
    mean = sure / read
    if mean < UNSURE:
        return PageFigures(
            page.image, PageLevel.SUSPICIOUS, 100 * (1 - mean), (f"the engine is {mean:.0%} sure",)
        )
    return PageFigures(page.image, PageLevel.FINE, 100 * (1 - mean))


def read_figures(result: StoredResult) -> ResultFigures:
    """The figures of a volume's Parquet file.

    Raises:
        ValueError: it holds no recognised text.
    """
    figures = VolumeFigures()
    for page in read_texts(result.artifact(".parquet")):
        figures.add(page)
    return figures.result
