"""A volume's figures, counted while its records pass, and how its pages are to be judged when all have."""

from __future__ import annotations

from functools import cached_property

from bec_core import VERDICTS, PageFigures, PageLevel, ResultFigures
from bec_ldv1.record.facts import OUTER, page_facts
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.suspicion import Findings, Level, judge_volume, verdict
from bec_ldv1.record.usual import PageFacts

_LEVELS = {
    Level.ERROR: PageLevel.FAILED,
    Level.CHECK: PageLevel.SUSPICIOUS,
    Level.BLANK: PageLevel.BLANK,
    Level.FINE: PageLevel.FINE,
}


class VolumeFigures:
    """Takes a volume's records in the pages' order; asked for its findings, it takes no more.

    Args:
        pages: how many records will come.
    """

    def __init__(self, pages: int) -> None:
        self._total = pages
        self._names: list[str] = []
        self._facts: list[PageFacts] = []
        self._pages = self._lines = self._without = 0
        self._sure = 0.0
        self._whole = True

    def add(self, record: PageRecord) -> None:
        """Take the next page's record."""
        position = len(self._facts)
        outer = min(position, self._total - 1 - position) < OUTER
        self._facts.append(page_facts(record, whole_lines=True, outer=outer))
        self._names.append(record.img_file_name)
        if not record.ok:
            return
        self._pages += 1
        if record.details is None:
            self._whole = False
            self._without += not record.contours
            return
        lines = record.details.lines
        self._lines += len(lines)
        self._without += not lines
        self._sure += sum(line.confidence for line in lines)

    @cached_property
    def findings(self) -> list[Findings]:
        """Each page's, in their order; of records that have the contract's columns only, they mean nothing."""
        return judge_volume(self._facts)

    @property
    def suspicious(self) -> frozenset[int]:
        """Which pages a person should look at, by their positions; a page that failed is none of them."""
        return frozenset(n for n, found in enumerate(self.findings) if found.level is Level.CHECK)

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that the job type declares, as far as these records tell them.

        The contract's columns alone hold pieces of lines and no measure of ink: of such records it is known how many
        pages there are and on how many nothing was found.
        """
        found: dict[str, float] = {"pages": self._pages}
        if self._pages:
            found["without_lines"] = self._without / self._pages
        if not self._whole:
            return found
        levels = [one.level for one in self.findings]
        found |= {
            "lines": self._lines,
            "suspicious": levels.count(Level.CHECK),
            "blank": levels.count(Level.BLANK),
            "verdict": VERDICTS.index(verdict(levels, lines=self._lines)),
        }
        if self._pages:
            found["lines_a_page"] = self._lines / self._pages
        if self._lines:
            found["confidence"] = self._sure / self._lines
        return found

    @property
    def result(self) -> ResultFigures:
        """All of it for who looks at results."""
        if not self._whole:
            return ResultFigures(self.metrics)
        pages = (
            PageFigures(name, _LEVELS[found.level], found.score, found.reasons)
            for name, found in zip(self._names, self.findings, strict=True)
        )
        return ResultFigures(self.metrics, tuple(pages))
