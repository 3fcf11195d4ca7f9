"""Writing a report: every volume's pictures and pages, then the job's page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import asdict, evolve, frozen

from bec_core import ReportVolume, keep_row, kept_row, made_of, report_parts, volume_title
from bec_ldv1.artifacts import PageImage
from bec_ocrv1.artifacts import PageText
from bec_ocrv1.report.job_page import VolumeRow, job_pages, row_of, volume_row
from bec_ocrv1.report.markup import save
from bec_ocrv1.report.pages import page_page, volume_page
from bec_ocrv1.report.pictures import on_picture, open_image, save_line, save_picture
from bec_ocrv1.report.recorded import RecordedPage, recorded_pages, text_file
from bec_ocrv1.report.view import LineView, PageView, VolumeView

THREADS = max(1, min(8, os.cpu_count() or 1))
"""So many pages' pictures are made at once, of all volumes together."""


def write_report(volumes: Iterable[ReportVolume], directory: Path) -> Path:
    """Write the report of finished volumes into ``directory``; the file to open first.

    ``index.html`` lists the volumes. Each has a folder with its own ``index.html`` (the least sure lines first),
    ``pages`` (an HTML file a page), ``pictures`` and ``lines``. The files need no network, no server and no script. A
    page that can't be shown, and a volume whose artifacts can't be read, is listed with the reason. A volume that an
    earlier report in ``directory`` shows completely, from the same artifacts, is left as it is.

    Raises:
        OSError: the report can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="report") as pool:
        rows = report_parts(volumes, lambda volume, folder: _volume(volume, directory, folder, pool))
    for name, html in job_pages(rows):
        save(directory / name, html)
    return directory / "index.html"


def _volume(volume: ReportVolume, directory: Path, folder: str, pool: ThreadPoolExecutor) -> VolumeRow:
    """Write a volume's part of the report, unless it is there already; what the job's page says of it."""
    view = VolumeView(
        title=volume_title(volume.volume),
        version=volume.volume.version,
        folder=folder,
        pages=(),
        marker=volume.marker,
        work=volume.work,
    )
    try:
        texts = text_file(volume)
        ingredients = made_of("bec_ocrv1.report", volume, texts)
        if (kept := kept_row(directory / folder, ingredients, row_of)) is not None:
            return kept
        recorded = recorded_pages(volume, texts)
    except Exception as error:  # noqa: BLE001 - one volume's lost artifacts must not cost the whole job's report
        return volume_row(evolve(view, unreadable=f"the artifacts can't be read: {error}"))
    view = _drawn(view, volume, recorded, directory / folder, pool)
    row = volume_row(view)
    if all(page.unseen is None or page.error is not None for page in view.pages):
        keep_row(
            directory / folder, ingredients, asdict(row)
        )  # a picture that is missing may be had next time
    return row


def _drawn(
    view: VolumeView,
    volume: ReportVolume,
    recorded: Sequence[RecordedPage],
    place: Path,
    pool: ThreadPoolExecutor,
) -> VolumeView:
    """Write a volume's files."""
    for name in ("pages", "pictures", "lines"):
        (place / name).mkdir(parents=True, exist_ok=True)
    maker = _PageMaker(volume, place, len(recorded))
    view = evolve(view, pages=tuple(pool.map(maker.page, recorded)))
    for index, page in enumerate(view.pages):
        save(place / "pages" / f"{page.name}.html", page_page(view, index))
    save(place / "index.html", volume_page(view))
    return view


@frozen(eq=False)
class _PageMaker:
    """Makes one volume's pictures; called from several threads, each holds one page's pixels at a time."""

    volume: ReportVolume
    folder: Path
    total: int

    def page(self, recorded: RecordedPage) -> PageView:
        """One page: its files on disk, and what is shown of it."""
        number = recorded.page.index + 1
        name = f"{number:0{max(4, len(str(self.total)))}d}"
        text = recorded.text
        plain = () if text is None else _plain_lines(text)
        view = PageView(number, recorded.page.filename, name, lines=plain, error=recorded.error)
        try:
            data = self.volume.read_page(recorded.page)
            image = open_image(text or PageText(recorded.page.filename), data)
            picture = f"pictures/{name}.jpg"
            size = save_picture(image, self.folder / picture)
        except Exception as error:  # noqa: BLE001 - whatever a source or a decoder raises, the page says why
            return evolve(view, unseen=str(error) or type(error).__name__)
        lines = plain if text is None else self._cut(text, image, size, name, plain)
        return evolve(view, picture=picture, size=size, lines=lines)

    def _cut(
        self, text: PageText, image: PageImage, size: tuple[int, int], name: str, plain: tuple[LineView, ...]
    ) -> tuple[LineView, ...]:
        """The page's lines with their images."""
        folder = self.folder / "lines" / name
        folder.mkdir(exist_ok=True)
        shown = []
        for view, line in zip(plain, text.lines, strict=True):
            crop = f"{view.number:03d}.jpg"
            cut = save_line(image, text, line, folder / crop)
            shown.append(
                evolve(
                    view,
                    polygon=on_picture(line.polygon, image, size),
                    crop=None if cut is None else f"lines/{name}/{crop}",
                    size=cut or (0, 0),
                )
            )
        return tuple(shown)


def _plain_lines(text: PageText) -> tuple[LineView, ...]:
    return tuple(
        LineView(number, line.text, line.confidence or 0.0) for number, line in enumerate(text.lines, start=1)
    )
