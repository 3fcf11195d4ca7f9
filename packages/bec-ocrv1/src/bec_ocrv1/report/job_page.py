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
    for page in index_pages(sorted(rows, key=_rank)):
        body = _table(page.rows) + page.links + _NOTE if rows else _NOTHING
        yield page.name, document(title, body, up="Text recognition")


_NOTE = (
    '<p class="quiet">Volumes of which the engine is least sure come first. Its confidence ranks lines of one '
    "engine; it is no share of right characters.</p>"
)
_NOTHING = '<p class="quiet">No volume is finished yet.</p>'


def _table(rows: Sequence[VolumeRow]) -> str:
    return (
        '<div class="scroll"><table><thead><tr><th>Volume</th><th class="number">Pages</th>'
        '<th class="number">Failed</th><th class="number">Lines</th><th class="number">Characters</th>'
        '<th class="number">Confidence</th></tr></thead>'
        f"<tbody>{''.join(map(_row, rows))}</tbody></table></div>"
    )


def _rank(row: VolumeRow) -> float:
    if row.unreadable is not None:
        return -1.0
    return 2.0 if row.confidence is None else row.confidence


def _row(row: VolumeRow) -> str:
    version = f'{work_html(row.work) or "<br>"}<span class="quiet">{text(row.version)}</span>'
    if row.unreadable is not None:
        return (
            f"<tr><td>{text(row.title)}{version}</td>"
            f'<td class="bad" colspan="5">Can’t be shown: {text(row.unreadable)}</td></tr>'
        )
    numbers = (
        f"{row.pages:,}",
        f"{row.failed:,}",
        f"{row.lines:,}",
        f"{row.characters:,}",
        percent(row.confidence),
    )
    cells = "".join(f'<td class="number">{value}</td>' for value in numbers)
    return f'<tr><td><a href="{text(row.folder)}/index.html">{text(row.title)}</a>{version}</td>{cells}</tr>'
