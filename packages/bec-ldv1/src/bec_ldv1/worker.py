"""The job's worker: a pool of threads takes pages, one engine owns the model.

Each thread carries its page from bytes to record. Back-pressure is the pool's size; an error belongs to its
page. The pool and the engine serve all volumes that the worker runs at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import attrs
from loguru import logger

from bec_core import Ingredients, Page, PageData, PageError, TaskContext, TaskResult, WorkerSetup, in_context
from bec_ldv1.config import Ldv1Config
from bec_ldv1.page import Detection, detect_page
from bec_ldv1.records import PageRecord, to_parquet
from bec_ldv1.setup import cores, start_engine
from bec_ldv1.suspicious_pages import with_suspicion
from bec_ldv1.whole_lines import page_details

if TYPE_CHECKING:
    from bec_ldv1.engine import Engine


@attrs.frozen
class _PageOutcome:
    """What became of a page; ``error`` is None if it went well. Times in milliseconds."""

    record: PageRecord
    data: PageData | None
    error: BaseException | None
    fetch_ms: float
    detect_ms: float


class Ldv1Worker:
    """A :class:`bec_core.JobWorker`; its ``run`` may be called by several threads."""

    def __init__(self, engine: Engine, *, pages_in_flight: int) -> None:
        self._engine = engine
        self._model = engine.model
        self._pool = ThreadPoolExecutor(pages_in_flight, thread_name_prefix="ldv1-page")

    @property
    def ingredients(self) -> Ingredients:
        """The model, and the arithmetic that its network runs in."""
        return Ingredients({"model": self._model.sha256}, self._model.precision.value)

    def run(self, ctx: TaskContext) -> TaskResult:
        """Detect the lines of every page and write the volume's Parquet file."""
        outcomes = self._detect(ctx, ctx.volume.pages)
        again = [
            page
            for page, outcome in zip(ctx.volume.pages, outcomes, strict=True)
            if isinstance(outcome.error, PageError) and outcome.error.retryable
        ]
        if again:
            logger.info(
                "{} pages failed for a reason that may have passed; trying them once more", len(again)
            )
            for page, outcome in zip(again, self._detect(ctx, again), strict=True):
                outcomes[page.index] = outcome
        for page, outcome in zip(ctx.volume.pages, outcomes, strict=True):
            if outcome.error is not None:
                ctx.page_failed(page, outcome.error, data=outcome.data)
        records = with_suspicion([outcome.record for outcome in outcomes])
        ctx.write_artifact(".parquet", to_parquet(records))
        fetch, detect = (
            sum(times) for times in zip(*((o.fetch_ms, o.detect_ms) for o in outcomes), strict=True)
        )
        return TaskResult(
            page_ms=fetch + detect,
            stage_ms={"fetch": fetch, "detect": detect},
            details={"model": self._model.name, "model_sha256": self._model.sha256},
        )

    def _detect(self, ctx: TaskContext, pages: Sequence[Page]) -> list[_PageOutcome]:
        """The pages' outcomes in their order.

        Raises:
            TaskStopped: the job must stop; pages not begun are left.
        """
        futures: list[Future[_PageOutcome]] = [
            self._pool.submit(in_context(self._page), ctx, page) for page in pages
        ]
        for page, future in zip(pages, futures, strict=True):
            future.add_done_callback(partial(_report_page, ctx, page))
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def _page(self, ctx: TaskContext, page: Page) -> _PageOutcome:
        ctx.stop.check()
        began = time.perf_counter()
        fetched = began
        data: PageData | None = None
        error: Exception | None = None
        record: PageRecord | None = None
        try:
            data = ctx.read_page(page)
            fetched = time.perf_counter()
            seen: list[Detection] = []
            record = detect_page(
                page.filename,
                data.data,
                data.etag,
                self._engine,
                observe=seen.append,
            )
            record = attrs.evolve(record, details=page_details(seen[0], self._model))
        except PageError as problem:
            error = problem
        except Exception as problem:  # noqa: BLE001 - whatever a page does to OpenCV or Pillow, it is that page's error
            error = problem
        if error is not None:
            record = _failed_record(page, data, error)
        assert record is not None
        now = time.perf_counter()
        return _PageOutcome(record, data, error, (fetched - began) * 1000, (now - fetched) * 1000)

    def close(self) -> None:
        """Stop the pool and the engine."""
        self._pool.shutdown(cancel_futures=True)
        self._engine.close()


def _report_page(ctx: TaskContext, page: Page, future: Future[_PageOutcome]) -> None:
    """Tell the runtime of a page as soon as it is finished, so that it can stop a volume that is past saving."""
    if future.cancelled() or future.exception() is not None:
        return
    outcome = future.result()
    may_pass = isinstance(outcome.error, PageError) and outcome.error.retryable
    if outcome.error is not None and not may_pass:
        ctx.page_failed(page, outcome.error, data=outcome.data)
    ctx.page_done(page)


def _failed_record(page: Page, data: PageData | None, error: Exception) -> PageRecord:
    stage, kind = (
        (error.stage, error.error_type) if isinstance(error, PageError) else ("detect", type(error).__name__)
    )
    etag = data.etag if data else None
    return PageRecord.failed(page.filename, etag, stage=stage, error_type=kind, message=str(error))


def build_worker(setup: WorkerSetup) -> Ldv1Worker:
    """The job's worker factory; raises what :func:`bec_ldv1.setup.start_engine` raises."""
    config: Ldv1Config = setup.config
    engine = start_engine(setup.model_path, config)
    # On a CPU more pages in flight than cores only wait for each other.
    most = config.batch_size if engine.model.device.type == "cuda" else min(config.batch_size, cores() + 2)
    return Ldv1Worker(engine, pages_in_flight=int(setup.options.get("threads") or most))
