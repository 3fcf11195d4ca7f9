"""One volume's page: its figures, its confusions, and its pages, the worst first, with their texts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen

from bec_core import Work, work_html
from bec_ocreval.figures import percent, plural
from bec_ocreval.report.confusions import confusion_tables
from bec_ocreval.report.markup import cell, count_cell, document, pieces, stats, text, texts_table
from bec_ocreval.report.pieces import alone, beside
from bec_ocreval.results import PageResult, Reason, Truth, VolumeResult

DRAWN = 200
"""The texts of so many pages are shown, the worst."""

OPEN = 5
"""So many of them are open from the beginning."""


@frozen
class NumberedPage:
    """A page and its place in the volume, counted from 1."""

    number: int
    result: PageResult


def worst_first(pages: Sequence[PageResult]) -> list[NumberedPage]:
    """Pages by their error rate; then those without truth, the most reasons and the least confidence first."""
    numbered = [NumberedPage(number, page) for number, page in enumerate(pages, 1)]
    return sorted(numbered, key=lambda page: (*_badness(page.result), page.number))


def _badness(page: PageResult) -> tuple[bool, float, int, float]:
    confidence = 1.0 if page.confidence is None else page.confidence
    return page.truth is None, -_rate(page.truth), -len(page.reasons), confidence


def _rate(truth: Truth | None) -> float:
    """The character error rate to sort by: text where there is none is the worst."""
    if truth is None:
        return 0.0
    characters = truth.score.characters
    return characters.rate if characters.rate is not None else math.inf if characters.edits else 0.0


def volume_page(
    title: str, version: str, work: Work, volume: VolumeResult, pages: Sequence[PageResult], footer: str
) -> str:
    """The HTML of a volume."""
    ranked = worst_first(pages)
    drawn = [page for page in ranked if page.result.characters or page.result.truth or page.result.reasons][
        :DRAWN
    ]
    shown = {page.number for page in drawn}
    left = len(ranked) - len(drawn)
    return document(
        "volume.html",
        title=text(title),
        work=work_html(work),
        version=text(version),
        summary=text(summary(volume)),
        stats=stats(figures(volume)),
        confusions=confusion_tables(volume.confusions),
        rows="".join(_row(page, linked=page.number in shown) for page in ranked),
        texts="".join(_page(page, opened=place < OPEN) for place, page in enumerate(drawn)),
        left=text(
            f"{plural(left, 'page')} without text, or less bad, only in the table above." if left else ""
        ),
        footer=text(footer),
    )


def summary(volume: VolumeResult) -> str:
    """The volume in one sentence."""
    if volume.scored:
        said = f"{plural(volume.scored, 'page')} of {volume.pages:,} have ground truth"
        if volume.characters.rate is not None:
            said += f": {volume.characters.edits:,} edits in {volume.characters.length:,} characters"
    else:
        said = f"{plural(volume.pages, 'page')}, none with ground truth"
    flagged = (
        f"{plural(volume.flagged, 'page')} should be looked at"
        if volume.flagged
        else "no page need be looked at"
    )
    return f"{said}; {flagged}."


def figures(volume: VolumeResult) -> list[tuple[str, str, str]]:
    """The figures at the top; what is none, or not known, is left out."""
    figures = [
        ("", "character error rate", percent(volume.characters.rate)),
        ("", "syllable error rate", percent(volume.syllables.rate)),
        ("", "pages with truth", f"{volume.scored:,}"),
        ("check" if volume.flagged else "", "pages to look at", f"{volume.flagged:,}"),
        ("", "blank pages", f"{volume.blank:,}"),
        ("", "syllables spelt by the rules", percent(volume.spelling.share)),
        ("", "mean confidence", percent(volume.confidence)),
    ]
    return [figure for figure in figures if figure[2] not in ("0", percent(None))]


def reasons(given: Sequence[Reason]) -> str:
    """Why a page should be looked at, as a list."""
    items = "".join(f"<li>{text(reason.words)}</li>" for reason in given)
    return f'<ul class="reasons">{items}</ul>' if items else ""


def _row(page: NumberedPage, *, linked: bool) -> str:
    """A page in the table."""
    result = page.result
    number = f'<a href="#p{page.number}">{page.number}</a>' if linked else str(page.number)
    score = result.truth.score if result.truth else None
    return (
        f'<tr><td class="number">{number}</td><td class="name">{text(result.image)}</td>'
        f"{cell(score.characters.rate if score else None)}{cell(score.syllables.rate if score else None)}"
        f"{count_cell(result.characters)}{cell(result.spelling.share)}{cell(result.confidence)}"
        f"<td>{reasons(result.reasons)}</td></tr>"
    )


def _page(page: NumberedPage, *, opened: bool) -> str:
    """A page's texts."""
    result = page.result
    truth = result.truth
    rate = f'<b class="rate">{percent(truth.score.characters.rate)}</b>' if truth else ""
    source = f'<p class="quiet">truth: {text(truth.source)}</p>' if truth else ""
    if truth:
        body = texts_table(
            ("Truth", "Reading"), [(row.truth, row.reading) for row in beside(truth.lines, result.lines)]
        )
    else:
        body = _alone(result)
    return (
        f'<details class="leaf"{" open" if opened else ""}><summary><b>Page {page.number}</b> '
        f'<span class="file">{text(result.image)}</span> {rate}</summary>'
        f'<div class="body" id="p{page.number}">{reasons(result.reasons)}{source}{body}</div></details>'
    )


def _alone(result: PageResult) -> str:
    """What was read, with each line's confidence."""
    confidences: Sequence[float | None] = result.confidences or [None] * len(result.lines)
    rows = "".join(
        f'<tr><td lang="bo">{pieces(alone(line))}</td>{cell(confidence)}</tr>'
        for line, confidence in zip(result.lines, confidences, strict=True)
    )
    head = '<thead><tr><th>Reading</th><th class="number">Confidence</th></tr></thead>'
    return f'<table class="texts single">{head}<tbody>{rows}</tbody></table>'
