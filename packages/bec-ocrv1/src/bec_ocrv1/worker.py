"""The job's worker: the runtime's threads take pages, one engine reads their lines."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
from attrs import evolve

from bec_core import (
    Ingredients,
    Page,
    PageData,
    PageError,
    TaskContext,
    TaskResult,
    TerminalTaskError,
    WorkerSetup,
)
from bec_ldv1.artifacts import PageLines, read_lines
from bec_ocrv1.artifacts import PageText
from bec_ocrv1.engines.choose import build_engine
from bec_ocrv1.figures import VolumeFigures
from bec_ocrv1.page import read_page
from bec_ocrv1.reading import Recogniser
from bec_ocrv1.records import TextTable

INPUT = "lines"
"""The input's name."""


class Ocrv1Worker:
    """A :class:`bec_core.JobWorker`; its ``run`` may be called by several threads."""

    def __init__(self, engine: Recogniser) -> None:
        self._engine = engine

    @property
    def ingredients(self) -> Ingredients:
        """The engine's model, and what it calculates in."""
        return Ingredients({"model": self._engine.sha256}, self._engine.arithmetic)

    def run(self, ctx: TaskContext) -> TaskResult:
        """Read the lines of every page and write the volume's Parquet file."""
        found = _lines_of(ctx)

        def read(page: Page, data: PageData) -> PageText:
            lines = found[page.index]
            assert lines is not None
            return read_page(ctx, lines, data, self._engine)

        readable = [page for page in ctx.volume.pages if _unreadable(found[page.index]) is None]
        texts = ctx.map_pages(read, returns=PageText, pages=readable)
        table, figures = TextTable(), VolumeFigures()
        for page in ctx.volume.pages:
            text = self._text(ctx, page, found[page.index], texts)
            table.add(text)
            figures.add(text)
        next(texts, None)  # let it end
        ctx.write_artifact(".parquet", table.finish())
        ctx.metrics(**figures.metrics)
        return TaskResult(details={"engine": self._engine.name, "model_sha256": self._engine.sha256})

    def _text(
        self,
        ctx: TaskContext,
        page: Page,
        lines: PageLines | None,
        texts: Iterator[tuple[Page, PageText | None]],
    ) -> PageText:
        """The page's row; ``texts`` are those of the pages that can be read, in order."""
        error = _unreadable(lines)
        if error is None:
            _, text = next(texts)
            return text or _failed(ctx, page)
        ctx.page_failed(page, error)
        ctx.page_done(page)
        return evolve(_failed(ctx, page), source_etag=None if lines is None else lines.source_etag)

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()


def _lines_of(ctx: TaskContext) -> dict[int, PageLines | None]:
    """What ldv1 found, by the index of the page; None where its file has no row for a page.

    Raises:
        TerminalTaskError: the file can't be read.
    """
    source = ctx.input(INPUT)
    try:
        rows = read_lines(source.read(".parquet"))
    except ValueError as error:
        raise TerminalTaskError(f"the lines that {source.job} found can't be read: {error}") from error
    pages = ctx.volume.pages
    if [row.image for row in rows] == [page.filename for page in pages]:
        return dict(enumerate(rows))  # a file name may come twice in a manifest
    by_name = {row.image: row for row in rows}
    return {page.index: by_name.get(page.filename) for page in pages}


def _unreadable(lines: PageLines | None) -> PageError | None:
    """Why a page can't be read, before it is opened; None if it can."""
    if lines is None:
        return PageError("line detection has no row for this page", stage="lines", error_type="NoLines")
    if lines.ok:
        return None
    return PageError(
        lines.error_message or "line detection failed, and did not say why",
        stage=lines.error_stage or "lines",
        error_type=lines.error_type or "NoLines",
    )


def _failed(ctx: TaskContext, page: Page) -> PageText:
    """The row of a page that failed, as the runtime recorded it."""
    failure = ctx.failure(page)
    assert failure is not None, f"{page.filename} has neither a text nor an error"
    return PageText(
        page.filename,
        failure.source_etag,
        ok=False,
        error_stage=failure.stage,
        error_type=failure.error_type,
        error_message=failure.message,
    )


def build_worker(setup: WorkerSetup) -> Ocrv1Worker:
    """The job's worker factory; raises what :func:`bec_ocrv1.engines.choose.build_engine` raises."""
    cv2.setNumThreads(1)  # the pages run side by side already
    return Ocrv1Worker(build_engine(setup))
