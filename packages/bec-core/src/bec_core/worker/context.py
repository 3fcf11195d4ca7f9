"""The :class:`~bec_core.job.TaskContext` that a job gets. What it counts is what is recorded: a job can't miscount."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from bec_core.archive.sources import Sources
from bec_core.errors import BecError, PageError, RuntimeFault, TooManyPageErrors
from bec_core.job import InputVolume
from bec_core.models import Page, PageData, PageFailure, Volume
from bec_core.worker.failures import clean, traceback_of
from bec_core.worker.hold import HeldTask
from bec_core.worker.stop import StopFlag

ERRORS_SUFFIX = "-errors.jsonl"
_SUFFIX = re.compile(r"[.-][A-Za-z0-9._-]{1,64}")
_MESSAGE_LENGTH = 2000


class RunningTask:
    """One task, as its job sees it; collects what is to be published."""

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
        self._files: dict[str, bytes] = {}

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

    def page_done(self, page: Page) -> None:
        """Count the page as finished; saying so twice counts once, but is progress."""
        with self._lock:
            self._finished.add(page.index)
            self._held.pages_done = done = len(self._finished)
        self._held.last_progress = time.monotonic()
        self._on_page(done)

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
        if not _SUFFIX.fullmatch(suffix) or suffix == ERRORS_SUFFIX:
            raise ValueError(
                f"{suffix!r} can't be an artifact's suffix (such as '.parquet'; {ERRORS_SUFFIX} is ours)"
            )
        with self._lock:
            self._files[self._basename + suffix] = data

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

    def files(self) -> dict[str, bytes]:
        """Everything to publish, by name: the job's artifacts and, if a page failed, the errors."""
        files = dict(self._files)
        if failures := self.failures:
            lines = (json.dumps(attrs.asdict(failure), ensure_ascii=False) + "\n" for failure in failures)
            files[self.errors_name] = "".join(lines).encode()
        return files
