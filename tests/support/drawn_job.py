"""A small job with figures and a report: a volume's bytes, its odd pages (``?…``), a page with a script of its own.

A page ``!terminal`` fails the volume.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Collection, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from bec_core.errors import TerminalTaskError
from bec_core.job import JobType, Metric, ReportVolume, TaskContext, WorkerSetup
from bec_core.models import TaskResult
from bec_core.results import PageFigures, PageLevel, ResultFigures, StoredResult
from bec_core.testing.checksum_job import ChecksumConfig

SCRIPT = "document.title = 'drawn'"


class Weigher:
    """Its worker."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._page_s = setup.config.page_ms / 1000

    def run(self, ctx: TaskContext) -> TaskResult:
        total, odd = 0, 0
        for page in ctx.volume.pages:
            data = ctx.read_page(page).data
            if data == b"!terminal":
                raise TerminalTaskError("this volume was bound upside down")
            total, odd = total + len(data), odd + data.startswith(b"?")
            ctx.page_done(page)
            time.sleep(self._page_s)
        names = [page.filename for page in ctx.volume.pages]
        ctx.metrics(bytes=total, pages=len(names), suspicious=odd, blank=0)
        ctx.write_artifact(".txt", "\n".join([str(total), *names]).encode())
        return TaskResult()

    def close(self) -> None:
        pass


def write_report(volumes: Iterable[ReportVolume], directory: Path) -> Path:
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    for volume in volumes:
        ref = volume.volume.ref
        folder = directory / volume.basename
        folder.mkdir(parents=True)
        (folder / "volume.json").write_text("{}")
        (folder / "index.html").write_text(
            f'<!doctype html><meta http-equiv="Content-Security-Policy" content="script-src \'sha256-{digest}\'">'
            f"<title></title><p>pages of {escape(f'{ref.w_id}/{ref.i_id}')}</p><script>{SCRIPT}</script>"
        )
    (directory / "index.html").write_text("all volumes")
    return directory / "index.html"


def read_figures(result: StoredResult) -> ResultFigures:
    names = result.artifact(".txt").decode().split("\n")[1:]
    odd = int(result.marker["metrics"]["suspicious"])
    levels = [*[PageLevel.SUSPICIOUS] * odd, *[PageLevel.FINE] * len(names)]
    return ResultFigures(
        pages=tuple(PageFigures(name, level) for name, level in zip(names, levels, strict=False))
    )


class Truth:
    """Takes a file that says ``lines``."""

    def predicted(self, result: StoredResult, images: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        return {}

    def corrected(self, data: bytes, image: str) -> Mapping[str, Any]:
        if data != b"lines":
            raise ValueError("it says no lines")
        return {"image": image}


DRAWN = JobType(
    name="drawn",
    config=ChecksumConfig,
    worker="support.drawn_job:Weigher",
    version="1",
    summary="The bytes of every volume.",
    metrics=(
        Metric("bytes", "Bytes of the pages."),
        Metric("pages", "Pages."),
        Metric("suspicious", "Pages to look at."),
        Metric("blank", "Blank pages."),
    ),
    report="support.drawn_job:write_report",
    figures="support.drawn_job:read_figures",
    truth="support.drawn_job:Truth",
)
