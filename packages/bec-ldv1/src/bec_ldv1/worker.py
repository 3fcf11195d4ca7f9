"""The job's worker: the runtime's threads carry pages from bytes to record, one engine owns the model.

An error belongs to its page. The engine serves all volumes that the worker runs at the same time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from bec_core import (
    Ingredients,
    Page,
    PageData,
    PageFailure,
    TaskContext,
    TaskResult,
    WorkerSetup,
    timed,
)
from bec_ldv1.config import Ldv1Config
from bec_ldv1.network.setup import cores, start_engine
from bec_ldv1.page.detect import detect_page
from bec_ldv1.record.make import page_record
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.volume_file import VolumeFile

if TYPE_CHECKING:
    from bec_ldv1.network.engine import Engine


class Ldv1Worker:
    """A :class:`bec_core.JobWorker`; its ``run`` may be called by several threads."""

    def __init__(self, engine: Engine, *, pages_in_flight: int) -> None:
        self._engine = engine
        self._model = engine.model
        self._pages_in_flight = pages_in_flight

    @property
    def ingredients(self) -> Ingredients:
        """The model, and the arithmetic that its network runs in."""
        return Ingredients({"model": self._model.sha256}, self._model.precision.value)

    def run(self, ctx: TaskContext) -> TaskResult:
        """Detect the lines of every page and write the volume's Parquet file."""
        with ctx.temporary_file() as waiting:
            volume = VolumeFile(waiting, len(ctx.volume.pages))
            found = ctx.map_pages(self._page, returns=PageRecord, threads=self._pages_in_flight)
            for page, record in found:
                volume.add(record or _failed_record(page, ctx.failure(page)))
            with ctx.open_artifact(".parquet") as file:
                volume.write(file)
        ctx.metrics(**volume.figures.metrics)
        return TaskResult(
            details={
                "model": self._model.name,
                "model_sha256": self._model.sha256,
                "network": self._engine.in_words,
                "preparation": attrs.asdict(self._model.preparation),
                "tile_step": self._model.step,
            }
        )

    def _page(self, page: Page, data: PageData) -> PageRecord:
        with timed("detect"):
            return page_record(page.filename, data.etag, detect_page(data.data, self._engine))

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()


def _failed_record(page: Page, failure: PageFailure | None) -> PageRecord:
    assert failure is not None, f"{page.filename} has neither a record nor a failure"
    return PageRecord.failed(
        page.filename,
        failure.source_etag,
        stage=failure.stage,
        error_type=failure.error_type,
        message=failure.message,
    )


def build_worker(setup: WorkerSetup) -> Ldv1Worker:
    """The job's worker factory; raises what :func:`bec_ldv1.network.setup.start_engine` raises."""
    config: Ldv1Config = setup.config
    model = setup.resource("model")
    engine = start_engine(
        model.path if model else None,
        config,
        pinned=lambda sha256: setup.pinned_arithmetic({"model": sha256}),
    )
    # On a CPU more pages in flight than cores only wait for each other.
    most = config.batch_size if engine.model.device.type == "cuda" else min(config.batch_size, cores() + 2)
    return Ldv1Worker(engine, pages_in_flight=int(setup.options.get("threads") or most))
