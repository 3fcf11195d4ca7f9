"""The job's pages: its volumes, each with a picture, worst first; a thousand a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from bec_core import Work, index_pages, work_html
from bec_ldv1.output.report.charts import shares
from bec_ldv1.output.report.markup import document, json_block, plural, text, text_only
from bec_ldv1.output.report.preview import PREVIEW
from bec_ldv1.output.report.view import VolumeView
from bec_ldv1.output.report.volume_page import VERDICTS
from bec_ldv1.record.suspicion import Level, Verdict, verdict

NAMES = 10_000
"""Up to so many volumes the first page knows the names of all, for its search (about 100 bytes each)."""

_RANK = {Verdict.BAD: 0, Verdict.LOOK: 1, Verdict.GOOD: 2}
_SAID = {
    Verdict.GOOD: ("looks good", "look good"),
    Verdict.LOOK: ("is worth a look", "are worth a look"),
    Verdict.BAD: ("needs attention", "need attention"),
}
_NO_PICTURE = '<span class="peek nothing"></span>'
_LOST = "lost"  # what the page calls a volume that can't be shown


@attrs.frozen
class VolumeRow:
    """A volume in the job's table; figures are pages, but for ``lines`` and ``usual`` (lines per page).

    ``preview`` is the width of its `PREVIEW` over its height, None where it has none.
    """

    title: str
    version: str
    folder: str
    verdict: Verdict
    pages: int
    unit: str
    lines: int
    usual: float | None
    failed: int
    to_check: int
    blank: int
    preview: float | None = None
    unreadable: str | None = None
    work: Work = Work()

    @property
    def state(self) -> str:
        """Its verdict in the page's terms."""
        return str(self.verdict) if self.unreadable is None else _LOST


@attrs.frozen
class _Column:
    """A column of figures: its head, what stands behind a figure on a phone, its class, and the figure."""

    head: str
    behind: str
    kind: str
    value: Callable[[VolumeRow], float | None]
    always: bool = True


def row_of(noted: dict[str, Any]) -> VolumeRow:
    """A row that was noted as a dictionary."""
    return VolumeRow(**{**noted, "verdict": Verdict(noted["verdict"]), "work": Work(**noted["work"])})


def volume_row(volume: VolumeView, preview: float | None) -> VolumeRow:
    """What the table keeps of a volume."""
    return VolumeRow(
        title=volume.title,
        version=volume.version,
        folder=volume.folder,
        verdict=verdict([page.findings.level for page in volume.pages], lines=volume.lines),
        pages=len(volume.pages),
        unit=volume.unit,
        lines=volume.lines,
        usual=volume.typical.lines,
        failed=volume.count(Level.ERROR),
        to_check=volume.count(Level.CHECK),
        blank=volume.count(Level.BLANK),
        preview=preview,
        unreadable=volume.unreadable,
        work=volume.work,
    )


def job_pages(rows: Sequence[VolumeRow], footer: str) -> Iterator[tuple[str, str]]:
    """The pages of the job's list, each with its file's name; worst volumes first. ``footer`` is plain text."""
    ranked = sorted(rows, key=lambda row: (row.unreadable is None, _RANK[row.verdict]))
    columns = _columns(ranked)
    pages = index_pages(ranked)
    everywhere = len(pages) > 1 and len(ranked) <= NAMES
    overview = _overview(ranked)
    for page in pages:
        first = page is pages[0]
        yield (
            page.name,
            document(
                "job.html",
                ("shared.js", "job.js"),
                count=text(plural(len(rows), "volume")),
                overview=overview,
                tools=_tools(page.rows, columns, _scope(len(pages), everywhere=everywhere, first=first)),
                heads=_heads(columns),
                rows="".join(_row(row, columns) for row in page.rows),
                shown="" if page.rows else "hidden",
                links=page.links,
                data=json_block(
                    [[p.name, _names(p.rows)] for p in pages[1:]] if everywhere and first else []
                ),
                footer=text(footer),
            ),
        )


def _names(rows: Sequence[VolumeRow]) -> list[list[str | None]]:
    """The names in a part of the list, with the folder where there is one."""
    return [
        [
            text_only(" ".join(filter(None, (row.title, row.work.title)))),
            None if row.unreadable is not None else row.folder,
        ]
        for row in rows
    ]


def _scope(parts: int, *, everywhere: bool, first: bool) -> str:
    """What the search looks in, in words; nothing if that is all there is."""
    if parts == 1:
        return ""
    if not everywhere:
        return "The search and the order are of this part of the list; the other parts are below."
    if first:
        return "The order is of this part of the list; the search finds names in all of them."
    return (
        "The search and the order are of this part of the list; "
        '<a href="index.html">the first part</a> searches all.'
    )


def _overview(rows: Sequence[VolumeRow]) -> str:
    """The job in one box: the verdicts, as words and as a bar, and what was found. Figures of nothing are left out."""
    if not rows:
        return '<p class="quiet">No volume is finished yet.</p>'
    shown = [row for row in rows if row.unreadable is None]
    counts = {word: sum(row.verdict is word for row in shown) for word in (*_RANK,)}
    lost = len(rows) - len(shown)
    worst = next((word for word, count in counts.items() if count), Verdict.BAD)
    unit = _unit(rows)
    stats = (
        ("", "pages", sum(row.pages for row in rows)),
        ("", f"{unit}s", sum(row.lines for row in rows)),
        ("error", "pages failed", sum(row.failed for row in rows)),
        ("check", "pages to look at", sum(row.to_check for row in rows)),
        ("", "blank pages", sum(row.blank for row in rows)),
    )
    listed = "".join(
        f'<div class="{kind}"><dt>{text(label)}</dt><dd>{value:,}</dd></div>'
        for kind, label, value in stats
        if value
    )
    bar = shares([*((str(word), count) for word, count in counts.items()), (_LOST, lost)])
    return (
        f'<section class="verdict {Verdict.BAD if lost else worst}" aria-label="Summary">'
        f'<p>{text(_summary(counts, lost))}</p>{bar}<dl class="stats">{listed}</dl></section>'
    )


def _summary(counts: dict[Verdict, int], lost: int) -> str:
    """The verdicts in one sentence."""
    said = [f"{count:,} {_SAID[word][count > 1]}" for word, count in counts.items() if count]
    if lost:
        said.append(f"{lost:,} can’t be shown")
    return ", ".join(said) + "."


def _columns(rows: Sequence[VolumeRow]) -> list[_Column]:
    """The figures' columns; one that has nothing to say in any volume is left out."""
    unit = _unit(rows)
    columns = (
        _Column("Failed", "failed", "error", lambda row: row.failed, always=False),
        _Column("To look at", "to look at", "check", lambda row: row.to_check, always=False),
        _Column("Blank", "blank", "", lambda row: row.blank, always=False),
        _Column("Pages", "pages", "", lambda row: row.pages),
        _Column(f"{unit.capitalize()}s", f"{unit}s", "", lambda row: row.lines),
        _Column("A page, usually", "usually a page", "", lambda row: row.usual, always=False),
    )
    return [column for column in columns if column.always or any(map(column.value, rows))]


def _heads(columns: Sequence[_Column]) -> str:
    """The table's head: a button sorts by its column."""
    heads = [("Volume", ""), ("Verdict", ""), *((column.head, "number") for column in columns)]
    return "".join(
        f'<th scope="col" class="{kind}"><button type="button">{text(name)}</button></th>'
        for name, kind in heads
    )


def _tools(rows: Sequence[VolumeRow], columns: Sequence[_Column], scope: str) -> str:
    """Search, filter and order of a part of the list: for the script, which shows them; none for few volumes."""
    if len(rows) < 2:
        return ""
    states = [row.state for row in rows]
    named = (
        ("", "All"),
        (Verdict.BAD, VERDICTS[Verdict.BAD]),
        (Verdict.LOOK, VERDICTS[Verdict.LOOK]),
        (Verdict.GOOD, VERDICTS[Verdict.GOOD]),
        (_LOST, "Can’t be shown"),
    )
    choices = [(value, label, len(rows) if not value else states.count(str(value))) for value, label in named]
    picks = "".join(
        f'<label class="pick"><input type="radio" name="show" value="{value}"{"" if value else " checked"}>'
        f'{text(label)} <span class="number">{count:,}</span></label>'
        for value, label, count in choices
        if count
    )
    filters = f"<fieldset><legend hidden>Show</legend>{picks}</fieldset>" if len(set(states)) > 1 else ""
    orders = [("", "worst first"), ("0", "by name")]
    orders += [(str(number), f"most {column.behind}") for number, column in enumerate(columns, start=2)]
    options = "".join(f'<option value="{value}">{text(label)}</option>' for value, label in orders)
    said = f'<p class="quiet">{scope}</p>' if scope else ""
    return (
        '<form class="bar-of-tools" id="tools" role="search" autocomplete="off" hidden>'
        '<input type="search" id="search" aria-label="Search volumes" placeholder="Search volumes"'
        ' enterkeyhint="search">'
        f'{filters}<label class="order">Order <select id="order">{options}</select></label>'
        f'<output id="count" aria-live="polite"></output>{said}</form>'
    )


def _row(row: VolumeRow, columns: Sequence[_Column]) -> str:
    """A volume's row."""
    place = f"{text(row.folder)}/index.html"
    version = f'{work_html(row.work)}<span class="quiet">{text(row.version)}</span>'
    if row.unreadable is not None:
        return (
            f'<tr data-state="{_LOST}"><td class="name"><div class="who">{_NO_PICTURE}'
            f'<div><span class="title">{text(row.title)}</span>{version}</div></div></td>'
            '<td data-key="-1"><span class="word bad">Can’t be shown</span></td>'
            f'<td class="why" colspan="{len(columns)}">{text(row.unreadable)}</td></tr>'
        )
    if row.preview is None:
        picture = _NO_PICTURE
    else:
        picture = (
            f'<a class="peek" href="{place}" tabindex="-1" aria-hidden="true" style="--r:{row.preview:.3f}">'
            f'<img src="{text(row.folder)}/{PREVIEW}" alt=""'
            ' loading="lazy" decoding="async"></a>'
        )
    return (
        f'<tr data-state="{row.verdict}"><td class="name"><div class="who">{picture}'
        f'<div><a class="title" href="{place}">{text(row.title)}</a>{version}</div></div></td>'
        f'<td data-key="{_RANK[row.verdict]}"><span class="word {row.verdict}">{VERDICTS[row.verdict]}</span></td>'
        f"{''.join(_figure(column, row) for column in columns)}</tr>"
    )


def _figure(column: _Column, row: VolumeRow) -> str:
    """A cell with a figure."""
    value = column.value(row)
    zero = "" if value else " zero"
    said = "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return f'<td class="number {column.kind}{zero}" data-key="{value or 0}" data-of="{text(column.behind)}">{said}</td>'


def _unit(rows: Sequence[VolumeRow]) -> str:
    """What the volumes' outlines are called: "line" where they differ."""
    units = {row.unit for row in rows if row.unreadable is None}
    return units.pop() if len(units) == 1 else "line"
