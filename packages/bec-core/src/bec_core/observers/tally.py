"""The tally that metrics are told from: fed by events in one thread, read from others."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping

from attrs import field, frozen

from bec_core.models import Volume, VolumeRef
from bec_core.observer import Step, TaskFigures, WorkerObserver


@frozen
class Counts:
    """What a worker did since it began; ``seconds`` are the wall clocks of its ``attempts`` added up, of which
    ``buckets`` took no longer than each bound."""

    pages: int = 0
    page_errors: Mapping[str, int] = field(factory=dict)
    outcomes: Mapping[str, int] = field(factory=dict)
    dead_letters: int = 0
    stage_ms: Mapping[str, float] = field(factory=dict)
    at_hand: int = 0
    quiet_s: float = 0.0
    buckets: tuple[int, ...] = ()
    attempts: int = 0
    seconds: float = 0.0


class Tally(WorkerObserver):
    """Counts; ``bounds`` are the upper bounds of the wall clocks' distribution, in seconds."""

    def __init__(self, bounds: tuple[float, ...] = ()) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._pages = 0
        self._page_errors: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._dead_letters = 0
        self._stage_ms: dict[str, float] = {}
        self._at_hand: set[VolumeRef] = set()
        self._progress = time.monotonic()
        self._buckets = [0] * len(bounds)
        self._attempts = 0
        self._seconds = 0.0

    def step(self, step: Step) -> None:
        """Letters are counted here: a volume that can't be found has no other event."""
        if step is Step.DEAD_LETTERED:
            with self._lock:
                self._dead_letters += 1

    def task_started(self, volume: Volume, attempt: int) -> None:
        """It is at hand."""
        with self._lock:
            self._at_hand.add(volume.ref)
            self._progress = time.monotonic()

    def page_done(self, volume: Volume, done: int, total: int) -> None:
        """One more page."""
        with self._lock:
            self._pages += 1
            self._progress = time.monotonic()

    def task_measured(self, volume: Volume, figures: TaskFigures) -> None:
        """Its figures."""
        seconds = figures.wall_clock_ms / 1000
        with self._lock:
            self._page_errors.update(figures.errors_by_stage)
            for stage, spent in figures.stage_ms.items():
                self._stage_ms[stage] = self._stage_ms.get(stage, 0.0) + spent
            self._attempts += 1
            self._seconds += seconds
            for n, bound in enumerate(self._bounds):
                self._buckets[n] += seconds <= bound

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """How it ended."""
        with self._lock:
            self._at_hand.discard(volume.ref)
            self._outcomes[outcome] += 1

    def counts(self) -> Counts:
        """How it stands now."""
        with self._lock:
            return Counts(
                pages=self._pages,
                page_errors=dict(self._page_errors),
                outcomes=dict(self._outcomes),
                dead_letters=self._dead_letters,
                stage_ms=dict(self._stage_ms),
                at_hand=len(self._at_hand),
                quiet_s=time.monotonic() - self._progress if self._at_hand else 0.0,
                buckets=tuple(self._buckets),
                attempts=self._attempts,
                seconds=self._seconds,
            )
