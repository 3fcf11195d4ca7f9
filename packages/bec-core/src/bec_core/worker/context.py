"""The :class:`~bec_core.job.TaskContext` that a job gets. What it counts is what is recorded: a job can't miscount."""

from __future__ import annotations

import json
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import attrs
from loguru import logger

from bec_core.archive.sources import Sources
from bec_core.artifacts import ArtifactStream
from bec_core.errors import BecError, PageError, RuntimeFault, TooManyPageErrors
from bec_core.job import InputVolume, Metric
from bec_core.models import Page, PageData, PageFailure, TaskResult, Volume
from bec_core.pages.child import RUN
from bec_core.pages.flow import PageFlow
from bec_core.pages.pools import PagePools, work_for
from bec_core.pages.stages import TaskTimes
from bec_core.pages.values import PageValues
from bec_core.storage import Body
from bec_core.worker.failures import clean, traceback_of
from bec_core.worker.hold import HeldTask
from bec_core.worker.metrics import Metrics
from bec_core.worker.parts import KeptPages, TaskParts
from bec_core.worker.stop import StopFlag

if TYPE_CHECKING:
    from loguru import Logger

R = TypeVar("R")

ERRORS_SUFFIX = "-errors.jsonl"
_SUFFIX = re.compile(r"[.-][A-Za-z0-9._-]{1,64}")
_MESSAGE_LENGTH = 2000
_NEXT_TO_NOTHING = 0.01  # of the time: not worth a stage


class RunningTask:
    """One task, as its job sees it; collects what is to be published. To be released at its end."""

    def __init__(
        self,
        *,
        config: Any,
        held: HeldTask,
        basename: str,
        sources: Sources,
        inputs: Callable[[str], InputVolume],
        on_page: Callable[[int], None],
        max_page_error_rate: float = 1.0,
        metrics: Sequence[Metric] = (),
        pools: PagePools | None = None,
        scratch: Path | None = None,
        bound: Mapping[str, object] | None = None,
        parts: TaskParts | None = None,
        on_resumed: Callable[[int], None] = lambda _: None,
        on_all_begun: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._held = held
        self._basename = basename
        self._sources = sources
        self._inputs = inputs
        self._on_page = on_page
        self._max_page_error_rate = max_page_error_rate
        self._lock = threading.Lock()
        self._finished: set[int] = set()
        self._fault: RuntimeFault | None = None
        self._failures: dict[int, PageFailure] = {}
        self._files: dict[str, Body] = {}
        self._metrics = Metrics(metrics)
        self._pools = pools or PagePools()
        self._times = TaskTimes()
        self._scratch = scratch
        self._parts = parts
        self._on_resumed = on_resumed
        self._on_all_begun = on_all_begun
        self._begun: set[int] = set()
        self._maps = 0
        self._resumed: set[int] = set()
        self._log = logger.bind(
            **(bound or {}), volume=str(held.volume.ref), task=held.claim.task_id, attempt=held.claim.attempt
        )
        self._kept = ExitStack()

    @property
    def config(self) -> Any:
        """The job's config."""
        return self._config

    @property
    def volume(self) -> Volume:
        """The volume at this version."""
        return self._held.volume

    @property
    def basename(self) -> str:
        """What artifacts' names begin with."""
        return self._basename

    @property
    def attempt(self) -> int:
        """Which attempt this is."""
        return self._held.claim.attempt

    @property
    def stop(self) -> StopFlag:
        """The stop signal."""
        return self._held.stop

    @property
    def log(self) -> Logger:
        """The log, bound to the task."""
        return self._log

    def map_pages(
        self,
        function: Callable[[Page, PageData], R],
        *,
        returns: type[R],
        threads: int | None = None,
        processes: int | None = None,
        prepare: Callable[[], object] | None = None,
        pages: Iterable[Page] | None = None,
    ) -> Iterator[tuple[Page, R | None]]:
        """Each page with what ``function`` makes of it, in order."""
        chosen = self.volume.pages if pages is None else tuple(pages)
        values = self.page_values(returns)
        kept = None if self._parts is None else self._parts_of(self._parts, chosen, values)
        work = work_for(
            self._pools,
            function,
            values,
            threads=threads,
            processes=processes,
            prepare=prepare,
            keep=kept is not None,
            pages=len(chosen) - (0 if kept is None else len(kept)),
        )
        flow: PageFlow[R] = PageFlow(self, chosen, work, self._times, kept=kept)
        self._kept.callback(flow.end)
        return iter(flow)

    def _parts_of(self, parts: TaskParts, pages: Sequence[Page], values: PageValues[R]) -> KeptPages[R]:
        """What earlier attempts kept of these pages counts as finished: they are not done again."""
        with self._lock:
            self._maps, number = self._maps + 1, self._maps
        kept = parts.pages_of(number, values, pages, self.stop.check)
        resumed = [page for page in pages if kept.has(page)]
        if not resumed:
            return kept
        for page in resumed:
            self._times.add(kept.times(page))
        with self._lock:
            self._resumed |= {page.index for page in resumed}
            self._finished |= self._resumed
            self._held.pages_done = done = len(self._finished)
            self._held.pages_resumed = number_resumed = len(self._resumed)
        self._held.last_progress = time.monotonic()
        self._log.info(
            "goes on where an earlier attempt stopped: {} of {} pages are finished",
            number_resumed,
            len(self.volume.pages),
        )
        self._on_resumed(number_resumed)
        self._on_page(done)
        self._have_begun(resumed)
        return kept

    def page_values(self, returns: type[R]) -> PageValues[R]:
        """What makes bytes of a page's value, and a value again."""
        return PageValues(returns)

    def failure(self, page: Page) -> PageFailure | None:
        """Why the page failed."""
        with self._lock:
            return self._failures.get(page.index)

    def timed(self, stage: str) -> AbstractContextManager[None]:
        """Count the block's time under ``stage``."""
        return self._times.timed(clean(stage))

    def read_page(self, page: Page) -> PageData:
        """The page's bytes."""
        try:
            return self._sources.read_page(self._held.volume, page)
        except BecError:
            raise
        except Exception as error:
            # not the page's fault: kept, so that a job that takes it for a page error can't make it one
            fault = RuntimeFault(f"reading {page.filename}: {type(error).__name__}: {error}")
            fault.__cause__ = error
            with self._lock:
                self._fault = self._fault or fault
            raise fault from error

    def page_begun(self, page: Page) -> None:
        """The page is being fetched; with the volume's last one another task may begin."""
        self._have_begun([page])

    def _have_begun(self, pages: Iterable[Page]) -> None:
        with self._lock:
            self._begun.update(page.index for page in pages)
            all_begun = len(self._begun) == len(self.volume.pages)
        if all_begun:
            self._on_all_begun()

    def page_done(self, page: Page) -> None:
        """Count the page as finished; saying so twice counts once, but is progress."""
        with self._lock:
            self._finished.add(page.index)
            self._held.pages_done = done = len(self._finished)
        self._held.last_progress = time.monotonic()
        self._on_page(done)

    def page_tried_again(self, page: Page) -> None:
        """A page has come back and is tried once more: that is progress, though the page is not finished."""
        self._held.last_progress = time.monotonic()

    def page_failed(self, page: Page, error: BaseException, *, data: PageData | None = None) -> None:
        """Record the page's failure; once more have failed than the task may have, the job is told to stop."""
        if isinstance(error, PageError):
            stage, kind, retryable = clean(error.stage), clean(error.error_type), error.retryable
        else:
            stage, kind = "unknown", type(error).__name__
            retryable = error.retryable if isinstance(error, BecError) else False
        failure = PageFailure(
            source_uri=data.uri
            if data
            else f"{self._held.volume.ref.source}:{self._held.volume.ref}/{page.filename}",
            img_filename=page.filename,
            source_etag=data.etag if data else None,
            stage=stage,
            error_type=kind,
            message=clean(str(error)[:_MESSAGE_LENGTH]),
            traceback=traceback_of(error),
            retryable=retryable,
            attempt=self.attempt,
        )
        with self._lock:
            self._failures[page.index] = failure
        total, failed = len(self._held.volume.pages), len(self._failures)
        if failed > self._max_page_error_rate * total:
            self._held.stop.set(
                TooManyPageErrors(
                    f"{failed} of {total} pages failed (allowed: {self._max_page_error_rate:.0%})"
                )
            )

    @property
    def fault(self) -> RuntimeFault | None:
        """What of ours went wrong under the job's hands, whatever the job made of it."""
        return self._fault

    def write_artifact(self, suffix: str, data: bytes) -> None:
        """Stage an artifact."""
        name = self._artifact_name(suffix)
        with self._lock:
            self._files[name] = data

    @contextmanager
    def open_artifact(self, suffix: str) -> Iterator[BinaryIO]:
        """A stream whose content is staged when the block ends without error."""
        name = self._artifact_name(suffix)
        stream = ArtifactStream(self._scratch)
        self._kept.callback(stream.discard)
        try:
            yield cast(BinaryIO, stream)
        except BaseException:
            stream.discard()
            raise
        stream.close()
        with self._lock:
            self._files[name] = stream.staged()

    def temporary_file(self) -> AbstractContextManager[BinaryIO]:
        """A file without a name beside those that artifacts grow in."""
        return cast(BinaryIO, tempfile.TemporaryFile(dir=self._scratch))

    def _artifact_name(self, suffix: str) -> str:
        if not _SUFFIX.fullmatch(suffix) or suffix == ERRORS_SUFFIX:
            raise ValueError(
                f"{suffix!r} can't be an artifact's suffix (such as '.parquet'; {ERRORS_SUFFIX} is ours)"
            )
        return self._basename + suffix

    def metrics(self, **values: float) -> None:
        """Give figures of this volume."""
        with self._lock:
            self._metrics.give(values)

    @property
    def given_metrics(self) -> Mapping[str, float]:
        """The figures that the job gave."""
        with self._lock:
            return self._metrics.values

    def input(self, name: str) -> InputVolume:
        """What the job bound to this input has done of the volume."""
        return self._inputs(name)

    @property
    def failures(self) -> list[PageFailure]:
        """The failed pages in reading order."""
        with self._lock:
            return [self._failures[index] for index in sorted(self._failures)]

    @property
    def errors_name(self) -> str:
        """The name of the file of failed pages."""
        return self._basename + ERRORS_SUFFIX

    @property
    def errors_by_stage(self) -> Mapping[str, int]:
        """How many pages failed at which stage."""
        return dict(Counter(failure.stage for failure in self.failures))

    def complete(self, result: TaskResult) -> TaskResult:
        """What the job returned, with the times that were counted for it; what it says itself counts.

        Raises:
            ValueError: a metric is weighed by one that was not given.
        """
        self._metrics.check()
        return self.timed_result(result)

    def timed_result(self, result: TaskResult) -> TaskResult:
        """``result`` with the times that were counted so far; what it says itself counts."""
        counted = self._times.by_stage
        total = sum(counted.values())
        if len(counted) > 1 and counted.get(RUN, total) < _NEXT_TO_NOTHING * total:
            del counted[RUN]
        return attrs.evolve(
            result, page_ms=result.page_ms or total, stage_ms={**counted, **dict(result.stage_ms)}
        )

    def release(self) -> None:
        """End what the job left open: pages at work are waited for, staged files are closed."""
        self._kept.close()

    def files(self) -> dict[str, Body]:
        """Everything to publish, by name: the job's artifacts and, if a page failed, the errors."""
        files = dict(self._files)
        if failures := self.failures:
            lines = (json.dumps(attrs.asdict(failure), ensure_ascii=False) + "\n" for failure in failures)
            files[self.errors_name] = "".join(lines).encode()
        return files
