"""Pages in processes of their own: how many, and what each of them does.

What a machine's workers calculate in and by is chosen once, by the worker; a process follows its orders, in which
nothing is left to choose.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from loguru import logger

from bec_core import Page, PageData, SettingsError, cores, memory_bytes, timed
from bec_ldv1.config import Ldv1Config
from bec_ldv1.network.setup import start_engine
from bec_ldv1.page.detect import detect_page
from bec_ldv1.record.make import page_record
from bec_ldv1.record.records import PageRecord

if TYPE_CHECKING:
    from bec_ldv1.network.engine import Engine
    from bec_ldv1.network.line_model import LineModel

THREADS_FILL = 8
"""So many cores are filled by one process's threads: each holds the interpreter's lock for about 1/9 of a page's time
(docs/performance.md, "Under the interpreter's lock"), so a ninth thread waits for it as much as it works."""

PROCESS_BYTES = 640 << 20
"""What a process takes at most with large pages, measured (docs/performance.md, "In processes")."""

_MEMORY_SHARE = 0.75  # the rest is the worker's own, the pages' at hand and the system's


def how_many(config: Ldv1Config, *, gpu: bool, threads: int | None) -> int:
    """How many processes are to work on pages; 0: none, threads do.

    Args:
        config: the job's; its number counts, unless a GPU does the work.
        gpu: whether it does.
        threads: the operator's bound on pages at a time (``--threads``).
    """
    if gpu:
        return 0
    most = threads or cores()
    if config.processes is not None:
        return min(config.processes, threads or config.processes)
    fitting = int(_MEMORY_SHARE * memory_bytes()) // PROCESS_BYTES
    number = min(most, cores(), fitting)
    if fitting < min(most, cores()) and cores() > THREADS_FILL:
        logger.warning(
            "memory for {} processes of {} MiB, though there are {} cores",
            fitting, PROCESS_BYTES >> 20, cores(),
        )  # fmt: skip
    return number if number > THREADS_FILL else 0


@attrs.frozen
class Orders:
    """What a process works with.

    Attributes:
        model_path: the checkpoint; None is the model in the box.
        sha256: of the model that the worker loaded from there.
        config: the job's, with the worker's choices in it.
    """

    model_path: Path | None
    sha256: str
    config: Ldv1Config

    @classmethod
    def to_follow(cls, model: LineModel, model_path: Path | None, config: Ldv1Config) -> Orders:
        """Run what the worker has chosen and proved."""
        from bec_ldv1.network.arithmetic import wanted_as

        chosen = attrs.evolve(
            config,
            use_gpu=False,
            require_gpu=False,
            precision=wanted_as(model.precision),
            runtime=model.runtime.value,
        )
        return cls(model_path, model.sha256, chosen)


def prepare(orders: Orders) -> None:
    """Load the model in this process.

    Raises:
        CheckpointError: the model can't be loaded any more.
        SettingsError: it is another one by now, or errs in this process.
    """
    _engine(orders)


@cache
def _engine(orders: Orders) -> Engine:
    engine = start_engine(orders.model_path, orders.config, passes=1)
    if engine.model.sha256 != orders.sha256:
        engine.close()
        raise SettingsError(
            f"{orders.model_path} is another model ({engine.model.sha256[:8]}…) than when the worker started "
            f"({orders.sha256[:8]}…): start the worker again"
        )
    return engine


def detect(orders: Orders, page: Page, data: PageData) -> PageRecord:
    """The record of a page, made in this process."""
    return record_of(page, data, _engine(orders))


def record_of(page: Page, data: PageData, engine: Engine) -> PageRecord:
    """The record of a page.

    Raises:
        PageProblem: the page can't be processed.
    """
    with timed("detect"):
        return page_record(page.filename, data.etag, detect_page(data.data, engine))
