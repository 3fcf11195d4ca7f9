"""A volume's metrics from its results; and the job type's `bec_core.FiguresReader`."""

from __future__ import annotations

from bec_core import PageFigures, PageLevel, ResultFigures, StoredResult, verdict_of
from bec_ocreval.errors import ResultsError
from bec_ocreval.results import PAGES, SUMMARY, PageResult, VolumeResult, read_pages, read_summary


def metrics(volume: VolumeResult) -> dict[str, float]:
    """The volume's figures by the names that the job type declares; what could not be measured is left out."""
    counts: dict[str, float] = {
        "scored": volume.scored,
        "chars": volume.characters.length,
        "syllables": volume.syllables.length,
        "pages": volume.pages,
        "suspicious": volume.flagged,
        "blank": volume.blank,
        "lines": volume.lines,
        "judged": volume.spelling.judged,
        "verdict": verdict_of(
            pages=volume.pages,
            failed=0,
            suspicious=volume.flagged,
            empty=not volume.lines and not volume.scored,
        ),
    }
    rates = {
        "cer": volume.characters.rate,
        "ser": volume.syllables.rate,
        "confidence": volume.confidence,
        "well_formed": volume.spelling.share,
        "lines_a_page": volume.lines / volume.pages if volume.pages else None,
    }
    return counts | {name: rate for name, rate in rates.items() if rate is not None}


def read_measures(result: StoredResult) -> ResultFigures:
    """The figures of a volume's two artifacts; a page's score is not known.

    Raises:
        ValueError: they can't be read.
    """
    try:
        pages = read_pages(result.artifact(PAGES))
        volume = read_summary(result.artifact(SUMMARY))
    except ResultsError as error:
        raise ValueError(str(error)) from error
    return ResultFigures(metrics(volume), tuple(map(_page, pages)))


def _page(page: PageResult) -> PageFigures:
    if page.reasons:
        words = tuple(reason.words for reason in page.reasons)
        return PageFigures(page.image, PageLevel.SUSPICIOUS, reasons=words)
    return PageFigures(page.image, PageLevel.BLANK if page.blank else PageLevel.FINE)
