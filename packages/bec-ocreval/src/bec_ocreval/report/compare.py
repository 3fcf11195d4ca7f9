"""Two evaluations over the same volumes: which pages got better and which worse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bec_core import ReportVolume, volume_title
from bec_ocreval.report.compare_page import Change, ComparedPage, ComparedVolume, comparison_page
from bec_ocreval.report.markup import save
from bec_ocreval.results import PAGES, PageResult, read_pages
from bec_ocreval.scoring.normal import normalised
from bec_ocreval.scoring.rates import score


def write_comparison(
    pairs: Sequence[tuple[ReportVolume, ReportVolume]],
    directory: Path,
    *,
    names: tuple[str, str] = ("before", "after"),
) -> Path:
    """Compare volumes with their counterparts of another evaluation, page by page, and write what changed, worst first.

    Pages are paired by file name. Returns the file to open.

    Raises:
        ResultsError: a volume's artifacts are not those of an evaluation.
        OSError: the comparison can't be written.
    """
    volumes = [compared(before, after) for before, after in pairs]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "index.html"
    save(path, comparison_page(volumes, names))
    return path


def compared(before: ReportVolume, after: ReportVolume) -> ComparedVolume:
    """A volume's pages in both evaluations, in the newer one's order; those that only the older one has come last."""
    old = {page.image: page for page in read_pages(before.artifact(PAGES))}
    pages = [
        _page(number, old.pop(page.image, None), page)
        for number, page in enumerate(read_pages(after.artifact(PAGES)), 1)
    ]
    gone = [_page(len(pages) + number, page, None) for number, page in enumerate(old.values(), 1)]
    return ComparedVolume(volume_title(after.volume), tuple(pages + gone))


def _page(number: int, before: PageResult | None, after: PageResult | None) -> ComparedPage:
    """What became of a page."""
    if before is None or after is None:
        return ComparedPage(number, before, after, Change.GONE if after is None else Change.NEW, 0)
    if before.truth is not None and after.truth is not None:
        if before.truth.lines != after.truth.lines:
            return ComparedPage(number, before, after, Change.OTHER_TRUTH, 0)
        more = after.truth.score.characters.edits - before.truth.score.characters.edits
        if more:
            return ComparedPage(number, before, after, Change.WORSE if more > 0 else Change.BETTER, abs(more))
    if normalised(before.lines).text == normalised(after.lines).text:
        return ComparedPage(number, before, after, Change.SAME, 0)
    apart = score(before.lines, after.lines).characters.edits
    return ComparedPage(number, before, after, Change.CHANGED, apart)
