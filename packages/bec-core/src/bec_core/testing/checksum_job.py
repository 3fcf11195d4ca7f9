"""A small real job: the SHA-256 of every page, as ``{basename}.json``; page by page, or (``mapped``) by ``map_pages``.

A page whose first bytes are one of :class:`Trouble`'s values makes that trouble, so that a test can have
any failure on any page of a real volume.
"""

from __future__ import annotations

import hashlib
import json
import time
from enum import Enum
from functools import partial

from attrs import frozen

from bec_core.errors import PageError, RetryableTaskError, TerminalTaskError
from bec_core.job import JobType, TaskContext, WorkerSetup
from bec_core.job_config import between, option
from bec_core.models import Page, PageData, TaskResult


class Trouble(bytes, Enum):
    """What a page can do to the job."""

    BAD_PAGE = b"!bad-page"
    RETRYABLE = b"!retryable"
    TERMINAL = b"!terminal"
    UNEXPECTED = b"!unexpected"
    WEDGED = b"!wedged"


@frozen(kw_only=True)
class ChecksumConfig:
    """The job's config."""

    page_ms: float = option(
        0.0, "Pretend that a page takes so long (milliseconds).", results=False, **between(0, 60_000)
    )
    mapped: bool = option(False, "Let the runtime map the pages.", results=False)


@frozen
class PageSum:
    """A page's checksum."""

    sha256: str


class ChecksumWorker:
    """A :class:`~bec_core.job.JobWorker`."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._page_s = setup.config.page_ms / 1000
        self._mapped = setup.config.mapped

    def run(self, ctx: TaskContext) -> TaskResult:
        """Read every page and write the checksums."""
        if self._mapped:
            found = ctx.map_pages(partial(self._sum, ctx), returns=PageSum, threads=2)
            sums = {page.filename: one.sha256 for page, one in found if one is not None}
            ctx.write_artifact(".json", json.dumps(sums).encode())
            return TaskResult()
        return self._page_by_page(ctx)

    def _sum(self, ctx: TaskContext, _: Page, data: PageData) -> PageSum:
        time.sleep(self._page_s)
        self._make_trouble(ctx, data.data)
        return PageSum(hashlib.sha256(data.data).hexdigest())

    def _page_by_page(self, ctx: TaskContext) -> TaskResult:
        started = time.perf_counter()
        sums: dict[str, str] = {}
        for page in ctx.volume.pages:
            ctx.stop.check()
            data = None
            try:
                data = ctx.read_page(page)
                self._make_trouble(ctx, data.data)
                sums[page.filename] = hashlib.sha256(data.data).hexdigest()
            except PageError as error:
                ctx.page_failed(page, error, data=data)
            if self._page_s:
                time.sleep(self._page_s)
            ctx.page_done(page)
        ctx.write_artifact(".json", json.dumps(sums).encode())
        elapsed = (time.perf_counter() - started) * 1000
        return TaskResult(page_ms=elapsed, stage_ms={"checksum": elapsed})

    def _make_trouble(self, ctx: TaskContext, data: bytes) -> None:
        if data.startswith(Trouble.BAD_PAGE):
            raise PageError("this page is bad on purpose", stage="decode", error_type="BadOnPurpose")
        if data.startswith(Trouble.RETRYABLE):
            raise RetryableTaskError("this volume fails on purpose")
        if data.startswith(Trouble.TERMINAL):
            raise TerminalTaskError("this volume fails for good on purpose")
        if data.startswith(Trouble.UNEXPECTED):
            raise KeyError("nobody thought of this")
        if data.startswith(Trouble.WEDGED):
            while not ctx.stop.is_set():
                time.sleep(0.01)
            ctx.stop.check()

    def close(self) -> None:
        """Nothing is held."""


CHECKSUM = JobType(
    name="checksum",
    config=ChecksumConfig,
    worker="bec_core.testing.checksum_job:ChecksumWorker",
    version="1.0",
    summary="The SHA-256 of every page.",
)
