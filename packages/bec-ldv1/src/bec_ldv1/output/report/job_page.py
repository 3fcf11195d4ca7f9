"""The job's page: a table of its volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from bec_core import Work, index_pages, work_html
from bec_ldv1.output.report.markup import document, plural, text
from bec_ldv1.output.report.view import VolumeView
from bec_ldv1.output.report.volume_page import VERDICTS
from bec_ldv1.record.suspicion import Level, Verdict, verdict

_RANK = {Verdict.BAD: 0, Verdict.LOOK: 1, Verdict.GOOD: 2}
_SAID = {
    Verdict.GOOD: ("looks good", "look good"),
    Verdict.LOOK: ("is worth a look", "are worth a look"),
    Verdict.BAD: ("needs attention", "need attention"),
}


@attrs.frozen
class VolumeRow:
    """A volume in the job's table; figures are pages, but for ``lines`` and ``usual`` (lines per page)."""

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
    unreadable: str | None = None
    work: Work = Work()


def row_of(noted: dict[str, Any]) -> VolumeRow:
    """A row that was noted as a dictionary."""
    return VolumeRow(**{**noted, "verdict": Verdict(noted["verdict"]), "work": Work(**noted["work"])})


def volume_row(volume: VolumeView) -> VolumeRow:
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
        unreadable=volume.unreadable,
        work=volume.work,
    )


def job_pages(rows: Sequence[VolumeRow], footer: str) -> Iterator[tuple[str, str]]:
    """The pages of the job's list, each with its file's name; worst volumes first. ``footer`` is plain text."""
    ranked = sorted(rows, key=lambda row: (row.unreadable is None, _RANK[row.verdict]))
    heads = "".join(
        f'<th scope="col" class="{kind}"><button type="button">{text(name)}</button></th>'
        for name, kind in (
            ("Volume", ""),
            ("Verdict", ""),
            ("Failed", "number"),
            ("To look at", "number"),
            ("Blank", "number"),
            ("Pages", "number"),
            (f"{_unit(rows).capitalize()}s", "number"),
            ("A page, usually", "number"),
        )
    )
    said, total = text(_summary(rows)), _total(rows) if len(rows) > 1 else ""
    for page in index_pages(ranked):
        yield (
            page.name,
            document(
                "job.html",
                ("job.js",),
                count=text(plural(len(rows), "volume")),
                summary=said,
                heads=heads,
                rows="".join(_row(row) for row in page.rows),
                total=total,
                links=page.links,
                footer=text(footer),
            ),
        )


def _summary(rows: Sequence[VolumeRow]) -> str:
    """The job in one sentence."""
    if not rows:
        return "No volume is finished yet."
    counts = {word: sum(row.verdict is word and row.unreadable is None for row in rows) for word in Verdict}
    said = [f"{count:,} {_SAID[word][count > 1]}" for word, count in counts.items() if count]
    unreadable = sum(row.unreadable is not None for row in rows)
    if unreadable:
        said.append(f"{unreadable:,} can’t be shown")
    unit = _unit(rows)
    lines, pages = sum(row.lines for row in rows), sum(row.pages for row in rows)
    return f"{lines:,} {unit}s on {plural(pages, 'page')}. {', '.join(said)}."


def _row(row: VolumeRow) -> str:
    """A volume's row."""
    title = f'<a href="{text(row.folder)}/index.html">{text(row.title)}</a>'
    version = f'{work_html(row.work) or "<br>"}<span class="quiet">{text(row.version)}</span>'
    if row.unreadable is not None:
        return (
            f'<tr><td class="name">{text(row.title)}{version}</td><td data-key="-1">'
            f'<span class="word bad">Can’t be shown</span></td><td colspan="6">{text(row.unreadable)}</td></tr>'
        )
    usual = "–" if row.usual is None else f"{row.usual:g}"
    return (
        f'<tr><td class="name">{title}{version}</td><td data-key="{_RANK[row.verdict]}">'
        f'<span class="word {row.verdict}">{VERDICTS[row.verdict]}</span></td>'
        f"{_figure(row.failed, 'error')}{_figure(row.to_check, 'check')}{_figure(row.blank)}"
        f"{_figure(row.pages)}{_figure(row.lines)}"
        f'<td class="number" data-key="{row.usual or 0}">{usual}</td></tr>'
    )


def _figure(value: int, kind: str = "") -> str:
    """A cell with a whole number."""
    zero = "" if value else " zero"
    return f'<td class="number {kind}{zero}" data-key="{value}">{value:,}</td>'


def _total(rows: Sequence[VolumeRow]) -> str:
    """The sums over all volumes."""
    sums = [
        sum(row.failed for row in rows),
        sum(row.to_check for row in rows),
        sum(row.blank for row in rows),
        sum(row.pages for row in rows),
        sum(row.lines for row in rows),
    ]
    figures = "".join(f'<td class="number">{value:,}</td>' for value in sums)
    return f"<tr><td>All volumes</td><td></td>{figures}<td></td></tr>"


def _unit(rows: Sequence[VolumeRow]) -> str:
    """What the volumes' outlines are called: "line" where they differ."""
    units = {row.unit for row in rows if row.unreadable is None}
    return units.pop() if len(units) == 1 else "line"
