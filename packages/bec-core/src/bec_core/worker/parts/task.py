"""The parts of one task: what an earlier attempt kept, and what this one keeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from loguru import logger

from bec_core.artifacts import ReadyInput
from bec_core.errors import BecError, TaskStopped
from bec_core.models import Page, Volume
from bec_core.pages.values import Made, PageValues
from bec_core.worker.parts.form import KeptPage, to_bytes
from bec_core.worker.parts.place import PartsFolder
from bec_core.worker.parts.shelf import Place, Shelf

R = TypeVar("R")

EVERY_S = 60.0
"""A part holds what was finished within about so long: what a kill -9 can cost."""

_MOST_BYTES = 8 << 20
"""Of values in memory, then a part is written at once; one value may be larger."""

_PATIENCE_S = 30.0  # for a part that is being written when its task ends


def identity(
    *, volume: Volume, request: int, recipe: str, plugin_version: str, inputs: Sequence[ReadyInput]
) -> dict[str, Any]:
    """Of what work a part is: only where all of this is the same are its pages an earlier attempt's of this work.

    An input is told by what its marker lists; one that lists nothing (the earlier system's) by the marker itself.
    """
    read = {
        one.bound.name: [one.job, dict(one.standing.checksums or {}) or one.standing.etag] for one in inputs
    }
    return {
        "source": volume.ref.source,
        "etag": volume.etag.hex(),
        "request": request,
        "recipe": recipe,
        "plugin": plugin_version,
        "inputs": read,
    }


class TaskParts:
    """What is kept of a task. Its trouble is never the task's: what can't be kept is done anew, and said.

    Args:
        folder: where the parts lie.
        identity: of what work they are.
        epoch: of this attempt's claim.
        etags: the pages' present etags by file name; None: their source can't tell them.
        confirm: raises if the task is not ours any more.
        written: called after each part.
        every_s: how long finished pages wait for others before they are written.
        scratch: where kept values wait to be taken; None: the system's folder for temporary files.
    """

    def __init__(
        self,
        folder: PartsFolder,
        identity: Mapping[str, Any],
        *,
        epoch: int,
        etags: Callable[[], Mapping[str, str] | None],
        confirm: Callable[[], None],
        written: Callable[[], None] = lambda: None,
        every_s: float = EVERY_S,
        scratch: Path | None = None,
    ) -> None:
        self._folder = folder
        self._identity = identity
        self._epoch = epoch
        self._ask_etags = etags
        self._confirm = confirm
        self._written = written
        self._every_s = every_s
        self._scratch = scratch
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._loading = threading.Lock()
        self._shelf: Shelf | None = None
        self._etags: Mapping[str, str] = {}
        self._pages: list[KeptPage] = []
        self._bytes = 0
        self._since: float | None = None
        self._number = 0
        self._ended = False

    # -- what earlier attempts kept -------------------------------------------------------------------

    def pages_of(
        self, number: int, values: PageValues[R], pages: Sequence[Page], check: Callable[[], None]
    ) -> KeptPages[R]:
        """The share of the task's ``number``-th ``map_pages``; ``check`` may raise to give up."""
        with self._loading:
            if self._shelf is None:
                self._shelf = self._load(check)
        return KeptPages(self, number, values, self._shelf, self._etags, pages, check)

    def _load(self, check: Callable[[], None]) -> Shelf:
        shelf = Shelf(self._scratch)
        try:
            shelf.fill(self._folder, self._identity, check)
            etags = self._ask_etags() if len(shelf) else {}
        except TaskStopped:
            shelf.close()
            raise
        except BecError as error:
            logger.warning("what an earlier attempt finished can't be had, and is done anew: {}", error)
            return shelf
        if etags is None:
            logger.info("the volume's source can't tell its pages' etags: all pages are done anew")
        self._etags = etags or {}
        return shelf

    # -- what this one keeps --------------------------------------------------------------------------

    def add(self, page: KeptPage) -> None:
        """Keep a page's result; written with others."""
        with self._lock:
            if self._ended:
                return
            self._pages.append(page)
            self._bytes += len(page.value)
            self._since = self._since or time.monotonic()
            full = self._bytes >= _MOST_BYTES
        if full:
            self.flush()
        else:
            self.flush_if_due()

    def flush_if_due(self, *, within_s: float | None = None) -> None:
        """Write what waits if the first of it was finished long enough ago; ``within_s``: sooner than usual."""
        wait_s = self._every_s if within_s is None else min(within_s, self._every_s)
        since = self._since
        if since is not None and time.monotonic() - since >= wait_s:
            self.flush()

    def flush(self) -> None:
        """Write what waits. A store that refuses costs these pages' results, which is said."""
        with self._writing:
            with self._lock:
                pages, number = self._pages, self._number
                if not pages or self._ended:
                    return
                self._pages, self._bytes, self._since = [], 0, None
                self._number += 1
            if not self._is_ours():
                return
            key = self._folder.key(self._epoch, number)
            try:
                self._folder.store.put(key, to_bytes(self._identity, pages))
                if (
                    not self._is_ours()
                ):  # it slept right before it wrote, and its successor may have cleared up
                    self._folder.store.delete(key)
            except BecError as error:
                logger.warning("{} finished pages could not be kept: {}", len(pages), error)
                return
        self._written()

    def _is_ours(self) -> bool:
        try:
            self._confirm()
        except TaskStopped:
            return False
        except BecError:
            pass  # nobody can say. A part of a stale epoch harms nobody: it is believed for what it holds
        return True

    def drop(self) -> None:
        """The task has ended: keep nothing more. A part that is being written is waited for, within bounds."""
        with self._lock:
            self._ended = True
            self._pages = []
        if self._writing.acquire(timeout=_PATIENCE_S):
            self._writing.release()

    def close(self) -> None:
        """The attempt is over: write what waits, unless the task has ended."""
        self.flush()
        self.drop()
        with self._loading:
            if self._shelf is not None:
                self._shelf.close()


class KeptPages(Generic[R]):
    """One ``map_pages``' share of a task's parts: pages whose results an earlier attempt kept, and new ones to keep.

    A page counts as kept if its bytes are the same by their etag, and its value can be read.
    """

    def __init__(
        self,
        parts: TaskParts,
        number: int,
        values: PageValues[R],
        shelf: Shelf,
        etags: Mapping[str, str],
        pages: Sequence[Page],
        check: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._number = number
        self._values = values
        self._shelf = shelf
        self._returns = values.returns.__qualname__
        self._places: dict[int, Place] = {}
        self._refused = False
        for page in pages:
            check()
            place = shelf.find(number, self._returns, page.index)
            if place and place.name == page.filename and etags.get(page.filename) == place.etag:
                try:
                    values.from_bytes(shelf.read(place))
                except Exception as error:  # noqa: BLE001 - whatever the class makes of it: the page is done anew
                    logger.warning("what was kept of page {} can't be read: {}", page.filename, error)
                    continue
                self._places[page.index] = place

    def __len__(self) -> int:
        return len(self._places)

    def has(self, page: Page) -> bool:
        """Whether an earlier attempt kept the page's result."""
        return page.index in self._places

    def value(self, page: Page) -> R:
        """That result."""
        return self._values.from_bytes(self._shelf.read(self._places[page.index]))

    def times(self, page: Page) -> Mapping[str, float]:
        """The time that it took then, by stage."""
        return self._places[page.index].ms

    def keep(self, page: Page, etag: str, made: Made[R], ms: Mapping[str, float]) -> None:
        """Keep the result of a page."""
        if self._refused:
            return
        try:
            data = made.to_keep()
        except Exception as error:  # noqa: BLE001 - whatever the class makes of it: nothing of this map is kept
            self._refused = True
            logger.warning("{} can't be kept: the volume can't be resumed: {}", self._returns, error)
            return
        self._parts.add(
            KeptPage(self._number, self._returns, page.index, page.filename, etag, dict(ms), data)
        )
