"""The HTML of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from attrs import frozen

from bec_ocreval.evaluate import add_spelling
from bec_ocreval.figures import percent, plural
from bec_ocreval.report.markup import count_cell, document, stats, text, texts_table
from bec_ocreval.report.pieces import beside
from bec_ocreval.results import PageResult
from bec_ocreval.scoring.rates import Edits, total

DRAWN = 200
"""The texts of so many changed pages are shown, the worst."""

OPEN = 5
"""So many of them are open from the beginning."""


class Change(StrEnum):
    """What became of a page, worst first; a page without truth can only have changed."""

    WORSE = "worse"
    GONE = "gone"
    OTHER_TRUTH = "other_truth"
    CHANGED = "changed"
    NEW = "new"
    BETTER = "better"
    SAME = "same"


WORDS = {
    Change.WORSE: "worse",
    Change.GONE: "gone",
    Change.OTHER_TRUTH: "measured against another truth",
    Change.CHANGED: "read otherwise",
    Change.NEW: "new",
    Change.BETTER: "better",
    Change.SAME: "the same",
}
"""What became of a page, in words."""


@frozen
class ComparedPage:
    """A page in both evaluations, None where it has none; ``size`` is the difference in edits."""

    number: int
    before: PageResult | None
    after: PageResult | None
    change: Change
    size: int

    @property
    def image(self) -> str:
        """The image's file name."""
        page = self.after or self.before
        return page.image if page is not None else ""


@frozen
class ComparedVolume:
    """A volume's pages in the newer evaluation's order."""

    title: str
    pages: tuple[ComparedPage, ...]

    def count(self, change: Change) -> int:
        """How many pages became this."""
        return sum(page.change is change for page in self.pages)


def comparison_page(volumes: Sequence[ComparedVolume], names: tuple[str, str]) -> str:
    """The whole page."""
    pages = [page for volume in volumes for page in volume.pages]
    order = list(Change)
    changed = [
        (volume, page) for volume in volumes for page in volume.pages if page.change is not Change.SAME
    ]
    changed.sort(key=lambda item: (order.index(item[1].change), -item[1].size))
    drawn = changed[:DRAWN]
    left = len(changed) - len(drawn)
    return document(
        "compare.html",
        before=text(names[0]),
        after=text(names[1]),
        summary=text(_summary(pages, names)),
        stats=stats(_figures(pages)),
        rows="".join(map(_row, volumes)),
        texts="".join(_page(*item, names, opened=place < OPEN) for place, item in enumerate(drawn)),
        left=text(f"{plural(left, 'less changed page')} not shown." if left else ""),
    )


def _both(pages: Sequence[ComparedPage]) -> list[tuple[PageResult, PageResult]]:
    """The pages that both evaluations have."""
    return [(page.before, page.after) for page in pages if page.before is not None and page.after is not None]


def _rates(
    pages: Sequence[ComparedPage], of: Callable[[PageResult], Edits]
) -> tuple[float | None, float | None]:
    """An error rate before and after, over the pages that both scored."""
    scored = [(one, two) for one, two in _both(pages) if one.truth is not None and two.truth is not None]
    return total(of(one) for one, _ in scored).rate, total(of(two) for _, two in scored).rate


def _characters(page: PageResult) -> Edits:
    return page.truth.score.characters if page.truth is not None else Edits()


def _syllables(page: PageResult) -> Edits:
    return page.truth.score.syllables if page.truth is not None else Edits()


def _summary(pages: Sequence[ComparedPage], names: tuple[str, str]) -> str:
    """The comparison in one sentence."""
    before, after = _rates(pages, _characters)
    changed = sum(page.change is not Change.SAME for page in pages)
    if not changed:
        return f"{names[0]} and {names[1]} read the same on {plural(len(pages), 'page')}."
    said = f"{plural(changed, 'page')} of {len(pages):,} changed"
    if before is None or after is None:
        return f"{said}; no page has ground truth in both."
    better = sum(page.change is Change.BETTER for page in pages)
    worse = sum(page.change is Change.WORSE for page in pages)
    return f"{said}: {better:,} better, {worse:,} worse. Character error rate {percent(before)} → {percent(after)}."


def _figures(pages: Sequence[ComparedPage]) -> list[tuple[str, str, str]]:
    """The figures at the top."""
    both = _both(pages)
    return [
        _pair("character error rate", *_rates(pages, _characters), lower=True),
        _pair("syllable error rate", *_rates(pages, _syllables), lower=True),
        _pair(
            "syllables spelt by the rules",
            add_spelling([one.spelling for one, _ in both]).share,
            add_spelling([two.spelling for _, two in both]).share,
        ),
        _pair(
            "mean confidence", _confidence([one for one, _ in both]), _confidence([two for _, two in both])
        ),
        ("", "pages compared", f"{len(pages):,}"),
        (
            "",
            "pages to look at",
            f"{sum(bool(one.reasons) for one, _ in both):,} → {sum(bool(two.reasons) for _, two in both):,}",
        ),
    ]


def _confidence(pages: Sequence[PageResult]) -> float | None:
    """The mean over all lines."""
    found = [one for page in pages for one in page.confidences or ()]
    return sum(found) / len(found) if found else None


def _pair(
    label: str, before: float | None, after: float | None, *, lower: bool = False
) -> tuple[str, str, str]:
    """A figure before and after, coloured by which is better."""
    if before is None and after is None:
        return "", label, "–"
    kind = ""
    if before is not None and after is not None and percent(before) != percent(after):
        kind = "good" if (after < before) == lower else "bad"
    return kind, label, f"{percent(before)} → {percent(after)}"


def _row(volume: ComparedVolume) -> str:
    """A volume in the table."""
    before, after = _rates(volume.pages, _characters)
    kind, _, shown = _pair("", before, after, lower=True)
    counts = "".join(
        count_cell(volume.count(change), name)
        for change, name in (
            (Change.WORSE, "bad"),
            (Change.BETTER, "good"),
            (Change.CHANGED, ""),
            (Change.SAME, ""),
        )
    )
    return (
        f'<tr><td class="name">{text(volume.title)}</td><td class="number {kind}">{shown}</td>'
        f"{count_cell(len(volume.pages))}{counts}</tr>"
    )


def _page(volume: ComparedVolume, page: ComparedPage, names: tuple[str, str], *, opened: bool) -> str:
    """A changed page's texts, side by side."""
    sides = (page.before, page.after)
    rates = [percent(_characters(side).rate) for side in sides if side is not None and side.truth is not None]
    shown = f' <b class="rate">{" → ".join(rates)}</b>' if rates else ""
    return (
        f'<details class="leaf {page.change}"{" open" if opened else ""}><summary><b>{text(volume.title)}, page '
        f'{page.number}</b> <span class="file">{text(page.image)}</span> <span class="said">{WORDS[page.change]}</span>'
        f"{shown}</summary>{_texts(page, names)}</details>"
    )


def _texts(page: ComparedPage, names: tuple[str, str]) -> str:
    """Both readings beside the truth; without one the newer reading beside the older one."""
    before, after = page.before, page.after
    old = before.lines if before is not None else ()
    new = after.lines if after is not None else ()
    truth = next(
        (side.truth for side in (after, before) if side is not None and side.truth is not None), None
    )
    if truth is None or page.change is Change.OTHER_TRUTH:
        return texts_table(names, [(row.truth, row.reading) for row in beside(old, new)])
    sides = zip(beside(truth.lines, old), beside(truth.lines, new), strict=True)
    return texts_table(("truth", *names), [(two.truth, one.reading, two.reading) for one, two in sides])
