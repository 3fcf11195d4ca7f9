"""What the conformance checks run a job on, and how: watched, and never for ever."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from bec_core.archive.folders import LocalFolder
from bec_core.job import JobType
from bec_core.models import Page, PageData, VolumeRef
from bec_core.pages.values import PageValues
from bec_core.storage import FileStore
from bec_core.testing.local import Inputs, InputsOf, LocalTask, write_pages
from bec_core.testing.round_trip import CheckedValues
from bec_core.worker.parts import PartsFolder, TaskParts, identity

R = TypeVar("R")
T = TypeVar("T")


@frozen
class Probe:
    """The arguments of :func:`~bec_core.testing.conformance.find_problems`, and a folder to work in."""

    job_type: JobType
    pages: Mapping[str, bytes]
    bad_page: bytes | None
    config: Mapping[str, Any]
    inputs: Inputs | InputsOf
    resources: Mapping[str, Path]
    environment: Mapping[str, str]
    options: Mapping[str, Any]
    same: Callable[[str, bytes, bytes], bool]
    stop_within_s: float
    run_within_s: float
    only_these: bool
    folder: Path

    def task(
        self,
        name: str,
        pages: Mapping[str, bytes],
        *,
        on_page: Callable[[WatchedTask], None] | None = None,
        parts: TaskParts | None = None,
    ) -> WatchedTask:
        """A task over these pages, in a folder of this name."""
        folder = write_pages(self.folder / name, pages)
        return WatchedTask(self, folder, self.inputs, on_page, parts)

    def parts(self, name: str, epoch: int) -> TaskParts:
        """What is kept of the task of this name, for its attempt of this number."""
        folder = LocalFolder()
        volume = folder.resolve(VolumeRef("W1TEST", "I0001", (self.folder / name).resolve().as_uri()))
        return TaskParts(
            PartsFolder.of(FileStore(self.folder / "kept"), self.job_type.name, volume),
            identity(volume=volume, request=0, recipe="", plugin_version=self.job_type.version, inputs=()),
            epoch=epoch,
            etags=lambda: folder.page_etags(volume),
            confirm=lambda: None,
        )


class WatchedTask(LocalTask):
    """A local task that keeps what the job called. ``on_page`` is called when a page is said to be done."""

    def __init__(
        self,
        probe: Probe,
        folder: Path,
        inputs: Inputs | InputsOf,
        on_page: Callable[[WatchedTask], None] | None,
        parts: TaskParts | None = None,
    ) -> None:
        super().__init__(probe.job_type, folder, config=probe.config, inputs=inputs, parts=parts)
        self._watch_lock = threading.Lock()
        self._after_page = on_page
        self.read: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.early: list[str] = []
        self.told_to_stop: float | None = None
        self.read_when_told = 0
        self.unkept: list[str] = []

    def page_values(self, returns: type[R]) -> PageValues[R]:
        """Values that are taken to bytes and back on their way."""
        return CheckedValues(returns, self.unkept)

    def read_page(self, page: Page) -> PageData:
        """The page's bytes."""
        with self._watch_lock:
            if self.done[page.filename] and not self.read[page.filename]:
                self.early.append(page.filename)
            self.read[page.filename] += 1
        return super().read_page(page)

    def page_done(self, page: Page) -> None:
        """Count the page as finished."""
        super().page_done(page)
        with self._watch_lock:
            self.done[page.filename] += 1
        if self._after_page is not None:
            self._after_page(self)


def start(work: Callable[[], T]) -> Future[T]:
    """Run ``work`` in a thread of its own, which does not keep the process alive if it hangs.

    A job's own threads are daemons then, too: a thread is one by what started it.
    """
    future: Future[T] = Future()

    def body() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is handed on to whoever asks for the result
            future.set_exception(error)

    threading.Thread(target=body, name="bec-conformance", daemon=True).start()
    return future


def has_ended(future: Future[Any], within_s: float) -> bool:
    """Wait for the work; False if it takes longer."""
    return bool(wait([future], timeout=within_s).done)


def until_gone(threads: Callable[[], list[str]], within_s: float = 2.0) -> list[str]:
    """The names that ``threads`` still gives after waiting for them to vanish."""
    ends = time.monotonic() + within_s
    while (left := threads()) and time.monotonic() < ends:
        time.sleep(0.02)
    return left
