"""The engine: owns the model and looks at the tiles of all pages in flight.

Pages hand in their tiles and wait; the engine takes whatever has come in, up to a batch, in the order of arrival,
so that the device never waits for a page or a volume to end. A GPU is fed by one thread with large batches; a CPU
by a thread for each core with small ones, which needs no barrier between cores and stays fast when other threads
(those that decode pages) want the cores too. It works on no more tiles at a time than it was told
to hold; who comes when it is full waits.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
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

Probabilities = npt.NDArray[np.float32]
"""Tiles of probabilities, exact float32: 8 bits could not tell 0.8499 from 0.8501."""

_POLL_S = 0.5


@attrs.define(eq=False)
class _Request:
    """One page's tiles, of which the first `taken` are in a batch and `missing` are not done."""

    tiles: Plane
    result: Probabilities
    future: Future[Probabilities]
    taken: int = 0
    missing: int = 0


@attrs.define(eq=False)
class _Pass:
    """What one thread is running, and since when (``time.monotonic()``); None between two passes."""

    pieces: list[_Piece] = attrs.Factory(list)
    began: float | None = None


@attrs.frozen(eq=False)
class _Piece:
    """Some consecutive tiles of one request."""

    request: _Request
    first: int
    last: int

    @property
    def tiles(self) -> Plane:
        return self.request.tiles[self.first : self.last]


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
        self._requests: deque[_Request] = deque()
        self._waiting_tiles = 0
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

    def submit(self, tiles: Plane) -> Future[Probabilities]:
        """Hand in tiles (n × 512 × 512 uint8); the future gives their probabilities (float32), same shape.

        Waits while the engine is full. The future fails with a PageProblem when the model can't do these tiles.

        Raises:
            PageProblem: the engine is closed, dead or stuck.
        """
        request = _Request(tiles, np.empty(tiles.shape, np.float32), Future(), missing=len(tiles))
        if not len(tiles):
            request.future.set_result(request.result)
            return request.future
        with self._changed:
            while self._waiting_tiles and self._waiting_tiles + len(tiles) > self._max_tiles:
                self._check()
                self._changed.wait(_POLL_S)
            self._check()
            self._requests.append(request)
            self._waiting_tiles += len(tiles)
            self._changed.notify_all()
        return request.future

    @property
    def postprocess(self) -> Postprocess:
        """What makes outlines of the model's probabilities."""
        return self.model.postprocess

    @property
    def preparation(self) -> Preparation:
        """What the model wants done to pages."""
        return self.model.preparation

    def infer(self, tiles: Plane) -> Probabilities:
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
            while pieces := self._next_batch(running):
                self._run(pieces, running)
        except BaseException as error:  # noqa: BLE001 - whatever ends this thread, nobody may wait for it any more
            self._death = error
            self._fail_all()

    def _next_batch(self, running: _Pass) -> list[_Piece]:
        """Wait for tiles and take at most a batch of them; an empty list ends the thread."""
        with self._changed:
            running.pieces, running.began = [], None
            while not self._requests and not self._closed:
                self._changed.wait()
            pieces, room = [], self._batch_tiles
            while room and self._requests:
                request = self._requests[0]
                last = min(len(request.tiles), request.taken + room)
                pieces.append(_Piece(request, request.taken, last))
                room -= last - request.taken
                request.taken = last
                if last == len(request.tiles):
                    self._requests.popleft()
            self._waiting_tiles -= self._batch_tiles - room
            running.pieces, running.began = pieces, time.monotonic() if pieces else None
            self._changed.notify_all()
            return pieces

    def _run(self, pieces: list[_Piece], running: _Pass) -> None:
        """One pass over a batch; when it fails, each page's tiles once more one by one."""
        pieces = [piece for piece in pieces if not piece.request.future.done()]
        if not pieces:
            return
        try:
            batch = pieces[0].tiles if len(pieces) == 1 else np.concatenate([piece.tiles for piece in pieces])
            self._deliver(pieces, self.model.probabilities(batch))
        except Exception:  # noqa: BLE001 - which page it was, and why, is found out one by one
            self._free_memory()
            for piece in pieces:
                running.began = time.monotonic()
                self._run_alone(piece)

    def _run_alone(self, piece: _Piece) -> None:
        try:
            rows = [self.model.probabilities(tile[None]) for tile in piece.tiles]
            self._deliver([piece], np.concatenate(rows))
        except Exception as error:  # noqa: BLE001 - any failure of the model belongs to this page
            self._free_memory()
            problem = PageProblem(f"the model failed: {error}", stage="detect", retryable=True)
            problem.__cause__ = error
            _fail(piece.request, problem)

    def _deliver(self, pieces: list[_Piece], probabilities: Probabilities) -> None:
        """Put a batch's tiles where they belong; complete pages are handed back."""
        first = 0
        for piece in pieces:
            count = piece.last - piece.first
            piece.request.result[piece.first : piece.last] = probabilities[first : first + count]
            first += count
            with self._changed:
                piece.request.missing -= count
                complete = not piece.request.missing
            if complete:
                with contextlib.suppress(InvalidStateError):  # another of its pieces failed
                    piece.request.future.set_result(piece.request.result)

    def _free_memory(self) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _fail_all(self) -> None:
        """A thread died: nobody waits for it, nor for the others, which may die of the same."""
        with self._changed:
            self._closed = True
            pieces = [piece for running in self._passes for piece in running.pieces]
            left = [piece.request for piece in pieces] + list(self._requests)
            self._requests.clear()
            self._changed.notify_all()
        for request in left:
            message = f"the model's thread has died: {self._death!r}"
            _fail(request, PageProblem(message, stage="detect", retryable=True))


def _fail(request: _Request, problem: PageProblem) -> None:
    """Fail a page unless another thread has failed it already."""
    with contextlib.suppress(InvalidStateError):
        request.future.set_exception(problem)
