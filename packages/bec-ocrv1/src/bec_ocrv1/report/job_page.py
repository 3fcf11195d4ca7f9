"""The job's page: a table of its volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from bec_core import Work, index_pages, work_html
from bec_ocrv1.report.markup import document, percent, plural, text
from bec_ocrv1.report.view import VolumeView, mean_confidence
from bec_ocrv1.text import characters


@frozen
class VolumeRow:
    """What the table says of a volume; ``unreadable`` is why nothing can be shown of it."""

    title: str
    version: str
    folder: str
    pages: int = 0
    failed: int = 0
    lines: int = 0
    characters: int = 0
    confidence: float | None = None
    unreadable: str | None = None
    work: Work = Work()


def row_of(noted: dict[str, Any]) -> VolumeRow:
    """A row that was noted as a dictionary."""
    return VolumeRow(**{**noted, "work": Work(**noted["work"])})


def volume_row(volume: VolumeView) -> VolumeRow:
    """The row of a volume."""
    lines = [line for _, line in volume.lines]
    return VolumeRow(
        volume.title,
        volume.version,
        volume.folder,
        pages=len(volume.pages),
        failed=sum(page.error is not None for page in volume.pages),
        lines=len(lines),
        characters=sum(characters(line.text) for line in lines),
        confidence=mean_confidence(lines),
        unreadable=volume.unreadable,
        work=volume.work,
    )


def job_pages(rows: Sequence[VolumeRow]) -> Iterator[tuple[str, str]]:
    """The pages of the list of a job's volumes, the least sure first; each with its file's name."""
    title = plural(len(rows), "volume")
    failed = any(row.failed for row in rows)
    for page in index_pages(sorted(rows, key=_rank)):
        body = _table(page.rows, failed=failed) + page.links + _NOTE if rows else _NOTHING
        yield page.name, document(title, body, up="Text recognition")


_NOTE = (
    '<p class="quiet">Volumes of which the engine is least sure come first. Its confidence ranks lines of one '
    "engine; it is no share of right characters.</p>"
)
_NOTHING = '<p class="quiet">No volume is finished yet.</p>'


def _table(rows: Sequence[VolumeRow], *, failed: bool) -> str:
    heads = "".join(
        f'<th class="number">{name.capitalize()}</th>' for name, _ in _figures(VolumeRow("", "", ""), failed)
    )
    return (
        f'<div class="scroll"><table class="volumes"><thead><tr><th>Volume</th>{heads}</tr></thead>'
        f"<tbody>{''.join(_row(row, failed=failed) for row in rows)}</tbody></table></div>"
    )


def _figures(row: VolumeRow, failed: bool) -> list[tuple[str, str]]:
    """A row's figures, each with its name; failed pages only where a volume of the job has ``failed`` ones."""
    return [
        ("pages", f"{row.pages:,}"),
        *([("failed", f"{row.failed:,}")] if failed else []),
        ("lines", f"{row.lines:,}"),
        ("characters", f"{row.characters:,}"),
        ("confidence", percent(row.confidence)),
    ]


def _rank(row: VolumeRow) -> float:
    if row.unreadable is not None:
        return -1.0
    return 2.0 if row.confidence is None else row.confidence


def _row(row: VolumeRow, *, failed: bool) -> str:
    version = f'{work_html(row.work) or "<br>"}<span class="quiet">{text(row.version)}</span>'
    figures = _figures(row, failed)
    if row.unreadable is not None:
        return (
            f"<tr><td>{text(row.title)}{version}</td>"
            f'<td class="bad" colspan="{len(figures)}">Can’t be shown: {text(row.unreadable)}</td></tr>'
        )
    cells = "".join(
        f'<td class="number{_quiet(value)}" data-of="{name}">{value}</td>' for name, value in figures
    )
    return f'<tr><td><a href="{text(row.folder)}/index.html">{text(row.title)}</a>{version}</td>{cells}</tr>'


def _quiet(value: str) -> str:
    """The class of a figure that says nothing."""
    return {"0": " zero", "–": " unknown"}.get(value, "")
