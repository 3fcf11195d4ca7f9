"""Writing a report: every volume's pictures and page, then the job's page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
from loguru import logger

from bec_core import ReportVolume, keep_row, kept_row, made_of, report_parts, volume_title
from bec_ldv1.errors import PageProblem
from bec_ldv1.output.report.adapt import (
    RecordedPage,
    picture_outlines,
    record_file,
    recorded_pages,
    without_picture,
)
from bec_ldv1.output.report.job_page import VolumeRow, job_pages, row_of, volume_row
from bec_ldv1.output.report.pictures import Picture, make_pictures
from bec_ldv1.output.report.preview import save_preview
from bec_ldv1.output.report.view import Outline, PageView, VolumeView
from bec_ldv1.output.report.volume_page import volume_page
from bec_ldv1.record.facts import OUTER, has_whole_lines, page_facts
from bec_ldv1.record.suspicion import Findings, Level, judge_volume
from bec_ldv1.record.usual import Typical, typical

THREADS = max(1, min(8, os.cpu_count() or 1))
"""So many pages' pictures are made at once, of all volumes together."""

_NOT_JUDGED = Findings(0, Level.FINE)


def write_report(volumes: Iterable[ReportVolume], directory: Path) -> Path:
    """Write the report of finished volumes into ``directory``; the file to open first.

    ``index.html`` lists the volumes; each has a folder with its own ``index.html``, ``preview.jpg`` (a usual page with
    its lines), ``thumbs`` and ``pages``. The files need no network and no server. A page that can't be shown, and a
    volume whose artifacts can't be read, is listed with the reason. A volume that an earlier report in ``directory``
    shows completely, from the same artifacts, is left as it is. Several volumes are worked on at a time; of one that
    is written only its row is kept. After a thousand rows the list goes on in ``volumes-2.html``.

    Raises:
        OSError: the report can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="report") as pool:
        rows = report_parts(volumes, lambda volume, folder: _volume_part(volume, directory, folder, pool))
    for name, html in job_pages(rows, "Written by BEC line detection."):
        save_page(directory / name, html)
    return directory / "index.html"


def _volume_part(volume: ReportVolume, directory: Path, folder: str, pool: ThreadPoolExecutor) -> VolumeRow:
    """Write a volume's part of the report, unless it is there already; what the job's table says of it."""
    empty = VolumeView(
        title=volume_title(volume.volume),
        version=volume.volume.version,
        folder=folder,
        unit="line",
        pages=(),
        typical=Typical(),
        marker=volume.marker,
        work=volume.work,
        served_at=volume.served_at,
    )
    try:
        records = record_file(volume)
        ingredients = made_of("bec_ldv1.output.report", volume, records)
        if (kept := kept_row(directory / folder, ingredients, row_of)) is not None:
            return kept
        recorded = recorded_pages(volume, records)
    except Exception as error:  # noqa: BLE001 - one volume's lost artifacts must not cost the whole job's report
        return volume_row(attrs.evolve(empty, unreadable=f"the artifacts can't be read: {error}"), None)
    view = _drawn(empty, volume, recorded, directory / folder, pool)
    row = volume_row(view, save_preview(view, directory / folder))
    save_page(directory / folder / "index.html", volume_page(view, _footer(view.marker.get("timestamp"))))
    if all(page.unseen is None or page.error is not None for page in view.pages):
        keep_row(
            directory / folder, ingredients, attrs.asdict(row)
        )  # a picture that is missing may be had next time
    return row


def _drawn(
    empty: VolumeView,
    volume: ReportVolume,
    recorded: Sequence[RecordedPage],
    folder: Path,
    pool: ThreadPoolExecutor,
) -> VolumeView:
    """Make a volume's pictures in ``folder``, in the threads of all volumes, and gather what its page shows."""
    whole_lines = has_whole_lines([page.record for page in recorded])
    unit = "line" if whole_lines else "segment"
    for name in ("thumbs", "pages"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    maker = _PageMaker(volume, folder, len(recorded), whole_lines)
    pages = list(pool.map(maker.page, range(len(recorded)), recorded))
    facts = [page.facts for page in pages]
    judged = tuple(
        attrs.evolve(page, findings=findings)
        for page, findings in zip(pages, judge_volume(facts, unit=unit), strict=True)
    )
    return attrs.evolve(empty, unit=unit, pages=judged, typical=typical(facts))


@attrs.frozen(eq=False)
class _PageMaker:
    """Makes one volume's pages; called from several threads, each holds one page's pixels at a time."""

    volume: ReportVolume
    folder: Path
    total: int
    whole_lines: bool

    def page(self, index: int, recorded: RecordedPage) -> PageView:
        """One page: its pictures on disk, and its view without findings."""
        name = f"{index + 1:0{max(4, len(str(self.total)))}d}.jpg"
        picture, unseen = self._pictures(recorded, name)
        outlines, size = self._outlines(recorded, picture)
        facts = page_facts(
            recorded.record,
            whole_lines=self.whole_lines,
            outer=index < OUTER or index >= self.total - OUTER,
            size=None if picture is None else (picture.width, picture.height),
            ink=None if picture is None else picture.ink,
        )
        return PageView(
            number=index + 1,
            filename=recorded.page.filename,
            width=size[0],
            height=size[1],
            picture=None if picture is None else name,
            unseen=unseen,
            outlines=outlines,
            facts=facts,
            findings=_NOT_JUDGED,
            error=recorded.error,
            quarter_turns=recorded.quarter_turns,
        )

    def _outlines(
        self, recorded: RecordedPage, picture: Picture | None
    ) -> tuple[list[Outline], tuple[int, int]]:
        """A page's outlines and the size that they are drawn in."""
        if recorded.record is None:
            return [], (4, 3) if picture is None else (picture.view_width, picture.view_height)
        seen = picture or without_picture(recorded.record)
        size = (seen.view_width, seen.view_height)
        try:
            return picture_outlines(recorded.record, seen, whole_lines=self.whole_lines), size
        except PageProblem as problem:
            logger.warning("{}: the lines can't be drawn: {}", recorded.page.filename, problem)
            return [], size

    def _pictures(self, recorded: RecordedPage, name: str) -> tuple[Picture | None, str | None]:
        """Make the pictures; or why they could not be made."""
        try:
            data = self.volume.read_page(recorded.page).data
            places = (self.folder / "pages" / name, self.folder / "thumbs" / name)
            return make_pictures(data, *places, recorded.quarter_turns), None
        except Exception as error:  # noqa: BLE001 - whatever a source or a decoder raises, the tile says why
            return None, str(error) or type(error).__name__


def _footer(timestamp: object) -> str:
    """What stands at the end of a volume's page."""
    return f"Processed {timestamp}." if timestamp else "Written by BEC line detection."


def save_page(path: Path, html: str) -> None:
    """Write a page; half surrogates, which names on disk may hold, become question marks."""
    path.write_text(html, encoding="utf-8", errors="replace")
