"""The job's page: a table of its volumes, its worst pages, and what was confused in all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from attrs import field, frozen

from bec_core import Work, index_pages, work_html
from bec_ocreval.evaluate import add_spelling
from bec_ocreval.figures import percent, plural
from bec_ocreval.report.confusions import confusion_tables
from bec_ocreval.report.markup import cell, count_cell, document, stats, text
from bec_ocreval.report.volume_page import NumberedPage, figures, reasons, summary
from bec_ocreval.results import Confusions, VolumeResult
from bec_ocreval.scoring.confusions import Confusion, most_frequent
from bec_ocreval.scoring.rates import total

WORST = 20
"""So many of the job's worst pages are listed."""


@frozen
class VolumeRow:
    """A volume as the job's page shows it: its figures and its worst pages, or why it can't be shown."""

    title: str
    version: str
    folder: str
    result: VolumeResult | None = None
    worst: Sequence[NumberedPage] = field(factory=tuple)
    unreadable: str = ""
    work: Work = Work()


def job_pages(rows: Sequence[VolumeRow], footer: str) -> Iterator[tuple[str, str]]:
    """The pages of the job's list, each with its file's name, the worst volumes first."""
    ranked = sorted(rows, key=lambda row: (row.result is not None, -_rate(row), -_flagged(row), row.title))
    results = [row.result for row in rows if row.result is not None]
    everything = added(results)
    worst, confusions = _worst(rows), confusion_tables(everything.confusions)
    for page in index_pages(ranked):
        yield (
            page.name,
            document(
                "job.html",
                count=text(plural(len(rows), "volume")),
                summary=text(summary(everything) if results else "No volume can be shown."),
                stats=stats(figures(everything)),
                rows="".join(map(_row, page.rows)),
                total=_figures(everything) if len(results) > 1 else "",
                links=page.links,
                worst=worst,
                confusions=confusions,
                footer=text(footer),
            ),
        )


def added(results: Sequence[VolumeResult]) -> VolumeResult:
    """Volumes as if they were one; of the confusions those that each volume kept."""
    lines = sum(result.lines for result in results)
    weighed = sum((result.confidence or 0.0) * result.lines for result in results)
    return VolumeResult(
        pages=sum(result.pages for result in results),
        scored=sum(result.scored for result in results),
        flagged=sum(result.flagged for result in results),
        blank=sum(result.blank for result in results),
        characters=total(result.characters for result in results),
        syllables=total(result.syllables for result in results),
        lines=lines,
        confidence=weighed / lines if lines else None,
        spelling=add_spelling([result.spelling for result in results]),
        signs=sum((Counter(result.signs) for result in results), Counter()),
        confusions=Confusions(
            _together([result.confusions.characters for result in results]),
            _together([result.confusions.syllables for result in results]),
        ),
    )


def _together(parts: Sequence[Sequence[Confusion]]) -> tuple[Confusion, ...]:
    tally = Counter[tuple[str, str]]()
    for part in parts:
        for one in part:
            tally[one.truth, one.reading] += one.count
    return most_frequent(tally, len(tally))


def _rate(row: VolumeRow) -> float:
    return (row.result.characters.rate or 0.0) if row.result else 0.0


def _flagged(row: VolumeRow) -> float:
    return row.result.flagged / row.result.pages if row.result and row.result.pages else 0.0


def _row(row: VolumeRow) -> str:
    """A volume in the table."""
    version = f'{work_html(row.work) or "<br>"}<span class="quiet">{text(row.version)}</span>'
    if row.result is None:
        return (
            f'<tr><td class="name">{text(row.title)}{version}</td>'
            f'<td colspan="7" class="bad">can’t be shown: {text(row.unreadable)}</td></tr>'
        )
    title = f'<a href="{text(row.folder)}/index.html">{text(row.title)}</a>'
    return f'<tr><td class="name">{title}{version}</td>{_cells(row.result)}</tr>'


def _cells(result: VolumeResult) -> str:
    return "".join(
        (
            cell(result.characters.rate, of="CER"),
            cell(result.syllables.rate, of="SER"),
            count_cell(result.scored, of="pages with truth"),
            count_cell(result.pages, of="pages"),
            count_cell(result.flagged, "check", of="to look at"),
            cell(result.spelling.share, of="well spelt"),
            cell(result.confidence, of="confidence"),
        )
    )


def _figures(everything: VolumeResult) -> str:
    return f"<tr><td>All volumes</td>{_cells(everything)}</tr>"


def _worst(rows: Sequence[VolumeRow]) -> str:
    """The worst pages of all volumes: those against truth, by their error rate."""
    pages = [(row, page) for row in rows for page in row.worst]
    pages.sort(key=lambda item: -_page_rate(item[1]))
    listed = "".join(
        f'<tr><td class="name"><a href="{text(row.folder)}/index.html#p{page.number}">{text(row.title)}, '
        f'page {page.number}</a> <span class="quiet">{text(page.result.image)}</span></td>'
        f'<td class="number">{percent(_page_rate(page))}</td><td>{reasons(page.result.reasons)}</td></tr>'
        for row, page in pages[:WORST]
    )
    if not listed:
        return ""
    return (
        '<section aria-labelledby="worst"><h2 id="worst">The worst pages</h2><div class="scroll"><table><thead><tr>'
        '<th>Page</th><th class="number">CER</th><th>Why</th></tr></thead>'
        f"<tbody>{listed}</tbody></table></div></section>"
    )


def _page_rate(page: NumberedPage) -> float:
    truth = page.result.truth
    return (truth.score.characters.rate or 0.0) if truth else 0.0
