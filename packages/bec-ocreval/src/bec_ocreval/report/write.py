"""Writing a report: every volume's page, then the job's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bec_core import ReportVolume, report_parts, volume_title
from bec_ocreval.report.job_page import WORST, VolumeRow, job_pages
from bec_ocreval.report.markup import save
from bec_ocreval.report.volume_page import volume_page, worst_first
from bec_ocreval.results import PAGES, SUMMARY, read_pages, read_summary


def write_report(volumes: Iterable[ReportVolume], directory: Path) -> Path:
    """Write the report of evaluated volumes into ``directory``; the file to open first.

    ``index.html`` lists the volumes; each has a folder with its own ``index.html``. A volume whose
    artifacts can't be read is listed with the reason.

    Raises:
        OSError: the report can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    rows = report_parts(volumes, lambda volume, folder: _part(volume, directory, folder))
    for name, html in job_pages(rows, "Written by BEC's evaluation of recognised text."):
        save(directory / name, html)
    return directory / "index.html"


def _part(volume: ReportVolume, directory: Path, folder: str) -> VolumeRow:
    """Write a volume's page; what the job's table says of it."""
    title, version, work = volume_title(volume.volume), volume.volume.version, volume.work
    try:
        pages = read_pages(volume.artifact(PAGES))
        result = read_summary(volume.artifact(SUMMARY))
    except Exception as error:  # noqa: BLE001 - one volume's lost artifacts must not cost the whole job's report
        return VolumeRow(title, version, folder, unreadable=str(error) or type(error).__name__, work=work)
    (directory / folder).mkdir(exist_ok=True)
    timestamp = volume.marker.get("timestamp")
    footer = f"Evaluated {timestamp}." if timestamp else ""
    save(directory / folder / "index.html", volume_page(title, version, work, result, pages, footer))
    bad = [page for page in worst_first(pages) if page.result.truth is not None and page.result.reasons]
    return VolumeRow(title, version, folder, result, bad[:WORST], work=work)
