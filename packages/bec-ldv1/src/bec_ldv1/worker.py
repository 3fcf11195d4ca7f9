"""The job's worker: threads carry pages from bytes to record by one engine, or processes do, each by one of its own.

An error belongs to its page. Engines serve all volumes that the worker runs at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol

import attrs
from loguru import logger

from bec_core import Ingredients, Page, PageFailure, TaskContext, TaskResult, WorkerSetup, cores
from bec_ldv1.config import Ldv1Config
from bec_ldv1.network.setup import choose_model, cpu_batch_tiles, engine_of, on_gpu
from bec_ldv1.page_processes import Orders, detect, how_many, prepare, record_of
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.volume_file import VolumeFile

if TYPE_CHECKING:
    from bec_ldv1.network.engine import Engine
    from bec_ldv1.network.line_model import LineModel


class Crew(Protocol):
    """Who works on the pages."""

    @property
    def in_words(self) -> str:
        """How the model is run."""

    def records(self, ctx: TaskContext) -> Iterator[tuple[Page, PageRecord | None]]:
        """Each page of the volume with its record, in order; None where it failed."""

    def close(self) -> None:
        """Stop."""


class ThreadCrew:
    """Threads of this process, so many pages at a time, and one engine."""

    def __init__(self, engine: Engine, *, pages_in_flight: int) -> None:
        self._engine = engine
        self._pages_in_flight = pages_in_flight

    @property
    def in_words(self) -> str:
        """How the model is run."""
        return self._engine.in_words

    def records(self, ctx: TaskContext) -> Iterator[tuple[Page, PageRecord | None]]:
        """Each page of the volume with its record, in order; None where it failed."""
        made = partial(record_of, engine=self._engine)
        return ctx.map_pages(made, returns=PageRecord, threads=self._pages_in_flight)

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()


class ProcessCrew:
    """So many processes, each with an engine of its own, one page at a time; they end with the worker's pools."""

    def __init__(self, orders: Orders, *, processes: int, each: str) -> None:
        self._orders = orders
        self._processes = processes
        self._each = each

    @property
    def in_words(self) -> str:
        """How the model is run."""
        return f"{self._each} in each of {self._processes} processes"

    def records(self, ctx: TaskContext) -> Iterator[tuple[Page, PageRecord | None]]:
        """Each page of the volume with its record, in order; None where it failed."""
        return ctx.map_pages(
            partial(detect, self._orders),
            returns=PageRecord,
            processes=self._processes,
            prepare=partial(prepare, self._orders),
        )

    def close(self) -> None:
        """Nothing is held here."""


class Ldv1Worker:
    """A :class:`bec_core.JobWorker`; its ``run`` may be called by several threads."""

    def __init__(self, crew: Crew, model: LineModel) -> None:
        self._crew = crew
        self._ingredients = Ingredients({"model": model.sha256}, model.precision.value)
        self._details = {
            "model": model.name,
            "model_sha256": model.sha256,
            "network": crew.in_words,
            "preparation": attrs.asdict(model.preparation),
            "tile_step": model.step,
        }

    @property
    def ingredients(self) -> Ingredients:
        """The model, and the arithmetic that its network runs in."""
        return self._ingredients

    def run(self, ctx: TaskContext) -> TaskResult:
        """Detect the lines of every page and write the volume's Parquet file."""
        with ctx.temporary_file() as waiting:
            volume = VolumeFile(waiting, len(ctx.volume.pages))
            for page, record in self._crew.records(ctx):
                volume.add(record or _failed_record(page, ctx.failure(page)))
            with ctx.open_artifact(".parquet") as file:
                volume.write(file)
        ctx.metrics(**volume.figures.metrics)
        return TaskResult(details=dict(self._details))

    def close(self) -> None:
        """Stop whoever works."""
        self._crew.close()


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
    given = setup.resource("model")
    path = given.path if given else None
    threads: int | None = setup.options.get("threads")
    gpu = on_gpu(config)
    processes = how_many(config, gpu=gpu, threads=threads)
    passes = 1 if processes else cores()
    model = choose_model(
        path, config, lambda sha256: setup.pinned_arithmetic({"model": sha256}), gpu=gpu, passes=passes
    )
    if processes:
        return Ldv1Worker(_processes(model, Orders.to_follow(model, path, config), processes), model)
    # On a CPU more pages in flight than cores only wait for each other.
    most = config.batch_size if gpu else min(config.batch_size, cores() + 2)
    engine = engine_of(model, config, passes=passes)
    return Ldv1Worker(ThreadCrew(engine, pages_in_flight=threads or most), model)


def _processes(model: LineModel, orders: Orders, number: int) -> ProcessCrew:
    """They load the model for themselves; the worker's own is let go."""
    from bec_ldv1.network.engine import run_in_words

    each = run_in_words(model, passes=1, batch_tiles=cpu_batch_tiles(model, orders.config))
    crew = ProcessCrew(orders, processes=number, each=each)
    logger.info("model {} ({}…): {}", model.name, model.sha256[:8], crew.in_words)
    return crew
