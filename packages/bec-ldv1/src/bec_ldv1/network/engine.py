"""The engine: owns the model and looks at the tiles of all pages in flight.

Pages hand in their tiles and wait; the engine takes what has come in, up to a batch of one size, in the order of
arrival, so that the device never waits for a page or a volume to end. White tiles are answered by what the model said
of the first one. A GPU is fed by one thread with large batches; a CPU by a thread for each core with small ones, which
needs no barrier between cores and stays fast when other threads (those that decode pages) want the cores too. It works
on no more tiles at a time than it was told to hold; who comes when it is full waits.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from itertools import islice
from types import TracebackType

import attrs
import numpy as np
import numpy.typing as npt
import torch

from bec_ldv1.errors import PageProblem
from bec_ldv1.network.line_model import LineModel
from bec_ldv1.page.contours import Postprocess
from bec_ldv1.page.decode import Plane
from bec_ldv1.page.prepare import Preparation
from bec_ldv1.page.tiles import PAPER, cut, join

Probabilities = npt.NDArray[np.float32]
"""Exact float32: 8 bits could not tell 0.8499 from 0.8501."""

_POLL_S = 0.5


@attrs.define(eq=False)
class _Page:
    """One page's answers, of which ``missing`` are not there yet."""

    answers: list[Probabilities]
    future: Future[list[Probabilities]]
    missing: int


@attrs.frozen(eq=False)
class _Tile:
    """A page's tile of this number."""

    page: _Page
    number: int
    plane: Plane
    blank: bool

    @property
    def kind(self) -> tuple[bool, tuple[int, ...]]:
        """Tiles of one kind can go through the model together."""
        return self.blank, self.plane.shape


@attrs.define(eq=False)
class _Pass:
    """What one thread is running, and since when (``time.monotonic()``); None between two passes."""

    tiles: list[_Tile] = attrs.Factory(list)
    began: float | None = None


class Engine:
    """Runs a model for many pages at once; use it as a context manager or call `close`.

    Args:
        model: what to run; nobody else may use it meanwhile.
        batch_tiles: the most tiles in one pass.
        max_tiles: the most tiles that wait; whoever submits more waits.
        threads: how many passes run side by side.
        stall_s: a pass that takes longer than this counts as stuck, and its pages and those that wait fail.
    """

    def __init__(
        self,
        model: LineModel,
        *,
        batch_tiles: int = 8,
        max_tiles: int = 256,
        threads: int = 1,
        stall_s: float = 300.0,
    ) -> None:
        self.model = model
        self._batch_tiles = batch_tiles
        self._max_tiles = max_tiles
        self._stall_s = stall_s
        self._waiting: deque[_Tile] = deque()
        self._blanks: dict[tuple[int, ...], Probabilities] = {}
        self._passes = [_Pass() for _ in range(threads)]
        self._closed = False
        self._death: BaseException | None = None
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._loop, args=(running,), name=f"ldv1-engine-{n}", daemon=True)
            for n, running in enumerate(self._passes, 1)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, tiles: Sequence[Plane]) -> Future[list[Probabilities]]:
        """Hand in tiles (uint8, sizes that the model takes); the future gives their probabilities, in their order.

        Waits while the engine is full. The future fails with a PageProblem when the model can't do these tiles.

        Raises:
            PageProblem: the engine is closed, dead or stuck.
        """
        page = _Page([np.empty(0, np.float32)] * len(tiles), Future(), missing=len(tiles))
        if not len(tiles):
            page.future.set_result([])
            return page.future
        waiting = [_Tile(page, number, tile, bool(tile.min() == PAPER)) for number, tile in enumerate(tiles)]
        with self._changed:
            while self._waiting and len(self._waiting) + len(waiting) > self._max_tiles:
                self._check()
                self._changed.wait(_POLL_S)
            self._check()
            self._waiting.extend(waiting)
            self._changed.notify_all()
        return page.future

    @property
    def postprocess(self) -> Postprocess:
        """What makes outlines of the model's probabilities."""
        return self.model.postprocess

    @property
    def preparation(self) -> Preparation:
        """What the model wants done to pages."""
        return self.model.preparation

    def infer(self, ink: Plane) -> Probabilities:
        """The probability of line of each pixel: uint8 height × width (255 is paper) to float32 of that shape.

        Raises:
            PageProblem: the model can't do this plane, or the engine is closed, dead or stuck.
        """
        return join(self.answers(cut(ink, self.model.step)), *ink.shape)

    def answers(self, tiles: Sequence[Plane]) -> list[Probabilities]:
        """Hand in tiles and wait for their probabilities.

        Raises:
            PageProblem: the model can't do these tiles, or the engine is closed, dead or stuck.
        """
        future = self.submit(tiles)
        while True:
            try:
                return future.result(timeout=_POLL_S)
            except FutureTimeout:
                if not future.done():
                    with self._changed:
                        self._check_alive()

    @property
    def in_words(self) -> str:
        """How the model is run."""
        return run_in_words(self.model, passes=len(self._passes), batch_tiles=self._batch_tiles)

    def close(self) -> None:
        """Finish what was handed in and stop; with a stuck engine, give up after the stall time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=self._stall_s)

    def _check(self) -> None:
        if self._closed:
            raise PageProblem("line detection is shutting down", stage="detect", retryable=True)
        self._check_alive()

    def _check_alive(self) -> None:
        """Raise when no answer can be expected any more; the lock must be held."""
        if self._death is not None or not any(thread.is_alive() for thread in self._threads):
            raise PageProblem(f"the model's thread has died: {self._death!r}", stage="detect", retryable=True)
        now = time.monotonic()
        if any(running.began is not None and now - running.began > self._stall_s for running in self._passes):
            raise PageProblem(
                f"the model is stuck: one pass takes longer than {self._stall_s:g} s",
                stage="detect",
                retryable=True,
            )

    def _loop(self, running: _Pass) -> None:
        try:
            while tiles := self._next_batch(running):
                self._run(tiles, running)
        except BaseException as error:  # noqa: BLE001 - whatever ends this thread, nobody may wait for it any more
            self._death = error
            self._fail_all()

    def _next_batch(self, running: _Pass) -> list[_Tile]:
        """Wait for tiles; take the first, and at most a batch of its kind; an empty list ends the thread."""
        with self._changed:
            running.tiles, running.began = [], None
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._waiting:
                kind = self._waiting[0].kind
                alike = (tile for tile in self._waiting if tile.kind == kind)
                running.tiles = list(islice(alike, self._batch_tiles))
                for tile in running.tiles:
                    self._waiting.remove(tile)
                running.began = time.monotonic()
            self._changed.notify_all()
            return running.tiles

    def _run(self, tiles: list[_Tile], running: _Pass) -> None:
        """One pass over a batch; when it fails, its tiles once more one by one."""
        tiles = [tile for tile in tiles if not tile.page.future.done()]
        if not tiles:
            return
        try:
            answers = self._answers(tiles)
        except Exception:  # noqa: BLE001 - which page it was, and why, is found out one by one
            self._free_memory()
            for tile in tiles:
                running.began = time.monotonic()
                self._run_alone(tile)
        else:
            for tile, answer in zip(tiles, answers, strict=True):
                self._deliver(tile, answer)

    def _answers(self, tiles: list[_Tile]) -> Iterable[Probabilities]:
        """The model's answers for tiles of one kind. What it says of white paper is the same every time."""
        plane = tiles[0].plane
        if not tiles[0].blank:
            return self.model.probabilities(np.stack([tile.plane for tile in tiles]))
        if plane.shape not in self._blanks:
            self._blanks[plane.shape] = self.model.probabilities(plane[None])[0]
        return [self._blanks[plane.shape]] * len(tiles)

    def _run_alone(self, tile: _Tile) -> None:
        if tile.page.future.done():  # another of the page's tiles failed
            return
        try:
            (answer,) = self._answers([tile])
        except Exception as error:  # noqa: BLE001 - any failure of the model belongs to this page
            self._free_memory()
            problem = PageProblem(f"the model failed: {error}", stage="detect", retryable=True)
            problem.__cause__ = error
            _fail(tile.page, problem)
        else:
            self._deliver(tile, answer)

    def _deliver(self, tile: _Tile, answer: Probabilities) -> None:
        """Put an answer where it belongs; a complete page is handed back."""
        page = tile.page
        page.answers[tile.number] = answer
        with self._changed:
            page.missing -= 1
            complete = not page.missing
        if complete:
            with contextlib.suppress(InvalidStateError):  # another of its tiles failed
                page.future.set_result(page.answers)

    def _free_memory(self) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _fail_all(self) -> None:
        """A thread died: nobody waits for it, nor for the others, which may die of the same."""
        with self._changed:
            self._closed = True
            left = [tile for running in self._passes for tile in running.tiles] + list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for tile in left:
            message = f"the model's thread has died: {self._death!r}"
            _fail(tile.page, PageProblem(message, stage="detect", retryable=True))


def run_in_words(model: LineModel, *, passes: int, batch_tiles: int) -> str:
    """How a model is run: arithmetic, device, runtime, passes side by side and tiles in each at most."""
    side_by_side = f"{passes} {'pass' if passes == 1 else 'passes'}"
    tiles = f"{batch_tiles} {'tile' if batch_tiles == 1 else 'tiles'}"
    return f"{model.precision} on {model.device} by {model.runtime}, {side_by_side} of {tiles}"


def _fail(page: _Page, problem: PageProblem) -> None:
    """Fail a page unless another thread has failed it already."""
    with contextlib.suppress(InvalidStateError):
        page.future.set_exception(problem)
