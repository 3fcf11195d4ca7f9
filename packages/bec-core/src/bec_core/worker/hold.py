"""Keeping what is held: one thread renews every task's lease and hides its message as long.

A lease that could not be renewed in time, or that is another worker's, stops its job. A job that
finishes no page for too long is stopped too, with the stacks of all threads in the log.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from attrs import define, field
from loguru import logger

from bec_core.db import Database, tasks
from bec_core.db.pool import Purpose
from bec_core.errors import DatabaseUnavailable, LeaseLost, QueueUnavailable, TaskStalled, TaskStopped
from bec_core.models import Message, Volume
from bec_core.queues.base import TaskQueue
from bec_core.worker.parts import TaskParts
from bec_core.worker.stop import StopFlag
from bec_core.worker.turns import Turn

_TICK_S = 0.5


@define(eq=False)
class HeldTask:
    """A task at hand: its claim, its message, how far it is. Times are ``time.monotonic()`` seconds."""

    claim: tasks.Claim
    message: Message
    volume: Volume
    lease_ends: float
    turn: Turn = field(factory=Turn)
    stop: StopFlag = field(factory=StopFlag)
    started: float = field(factory=time.monotonic)
    renewed: float = field(factory=time.monotonic)
    last_progress: float = field(factory=time.monotonic)
    pages_done: int = 0
    pages_resumed: int = 0
    parts: TaskParts | None = None
    abandoned: bool = False

    @property
    def worked_s(self) -> float:
        """How long it has been worked on: from its claim, or from the end of the task before it if that came later."""
        free = self.turn.free_since()
        return time.monotonic() - (self.started if free is None else max(self.started, free))

    @property
    def quiet_since(self) -> float | None:
        """Since when no page of it was finished although nothing was in its way; None: its pages may have to wait."""
        free = self.turn.free_since()
        return None if free is None else max(self.last_progress, free)


class Keeper:
    """Renews leases and visibility of all tasks at hand.

    A job that was told to stop and has not come back within ``stuck_after_s`` is said to be :attr:`stuck`.
    """

    def __init__(
        self,
        database: Database,
        queue: TaskQueue,
        *,
        lease_s: float,
        stall_timeout_s: float,
        stuck_after_s: float,
    ) -> None:
        self._database = database
        self._queue = queue
        self._lease_s = lease_s
        self._stall_timeout_s = stall_timeout_s
        self._stuck_after_s = stuck_after_s
        self._stuck: list[HeldTask] = []
        self._held: dict[int, HeldTask] = {}
        self._stopped_at: dict[int, float] = {}
        self._lock = threading.Lock()
        self._stopping: TaskStopped | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bec-lease-keeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._closing.set()
        self._thread.join()

    def held(self) -> list[HeldTask]:
        """The tasks at hand."""
        with self._lock:
            return list(self._held.values())

    @property
    def stuck(self) -> list[HeldTask]:
        """The tasks whose jobs did not stop when they were told to."""
        with self._lock:
            return list(self._stuck)

    @contextmanager
    def hold(self, task: HeldTask) -> Iterator[HeldTask]:
        """Keep the task's lease within the block."""
        with self._lock:
            self._held[id(task)] = task
            if self._stopping is not None:
                task.stop.set(self._stopping)
        try:
            yield task
        finally:
            with self._lock:
                self._held.pop(id(task), None)
                self._stopped_at.pop(id(task), None)

    def stop_all(self, reason: TaskStopped) -> None:
        """Tell the tasks at hand to stop, and those that a slot is just about to claim."""
        with self._lock:
            self._stopping = reason
            for task in self._held.values():
                task.stop.set(reason)

    def verify(self, task: HeldTask) -> None:
        """Make sure, with the database, that the task is ours and stays so for at least a third of the lease.

        Raises:
            LeaseLost: it is not.
            DatabaseUnavailable: nobody can say.
        """
        now = time.monotonic()
        if task.lease_ends - now < self._lease_s / 3:
            self._renew_lease(task)
            return
        with self._database.connection(Purpose.KEEPER) as connection:
            why = (
                None if tasks.is_ours(connection, task.claim) else tasks.why_not_ours(connection, task.claim)
            )
        if why is not None:
            self._lose(task, why)

    def _renew_lease(self, task: HeldTask) -> None:
        before = time.monotonic()
        with self._database.connection(Purpose.KEEPER) as connection:
            ours = tasks.renew(connection, task.claim, self._lease_s, pages_done=task.pages_done)
            why = None if ours else tasks.why_not_ours(connection, task.claim)
        if why is not None:
            self._lose(task, why)
        task.lease_ends = before + self._lease_s
        task.renewed = before

    def _lose(self, task: HeldTask, why: str) -> NoReturn:
        text = f"the task is not ours any more: {why}"
        task.stop.set(LeaseLost(text))
        raise LeaseLost(text)

    def _run(self) -> None:
        tick = min(_TICK_S, self._lease_s / 10)
        while not self._closing.wait(tick):
            for task in self.held():
                try:
                    self._look_after(task)
                except Exception:  # noqa: BLE001 - without this thread no lease would ever be renewed again
                    logger.exception("{}: the lease keeper met something unforeseen", task.volume.ref)

    def _look_after(self, task: HeldTask) -> None:
        now = time.monotonic()
        if task.stop.is_set():
            since = self._stopped_at.setdefault(id(task), now)
            if now - since > self._stuck_after_s and not task.abandoned:
                task.abandoned = True
                with self._lock:
                    self._stuck.append(task)
            return
        quiet = task.quiet_since
        if quiet is not None and now - quiet > self._stall_timeout_s:
            logger.error(
                "{}: no page was finished for {:.0f} s; the threads' stacks:\n{}",
                task.volume.ref,
                now - quiet,
                all_stacks(),
            )
            task.stop.set(TaskStalled(f"no page was finished for {self._stall_timeout_s:.0f} s"))
            return
        if now - task.renewed >= self._lease_s / 3:
            self._renew(task)
        if time.monotonic() > task.lease_ends:
            task.stop.set(LeaseLost("the task's lease ran out: it could not be renewed in time"))

    def _renew(self, task: HeldTask) -> None:
        try:
            self._renew_lease(task)
        except LeaseLost as lost:
            logger.warning("{}: {}", task.volume.ref, lost)
            return
        except DatabaseUnavailable as error:
            logger.warning("{}: the lease can't be renewed now: {}", task.volume.ref, error)
            return
        try:
            if not self._queue.extend(task.message, self._lease_s):
                logger.warning("{}: its message is not ours any more; the lease still is", task.volume.ref)
        except QueueUnavailable as error:
            logger.warning("{}: its message can't be hidden longer now: {}", task.volume.ref, error)


def all_stacks() -> str:
    """The stacks of all threads of this process, for a log."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, frame in sys._current_frames().items():
        stack = "".join(traceback.format_stack(frame))
        parts.append(f"thread {names.get(ident, ident)}:\n{stack}")
    return "\n".join(parts)
