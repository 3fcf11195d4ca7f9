"""The worker's process: what it is made of, its slots, and why it ends."""

from __future__ import annotations

import os
import sys
import threading
import time
from enum import StrEnum

from attrs import define, field, frozen
from loguru import logger

from bec_core.db import feeding
from bec_core.db import left as ledger
from bec_core.db.left import Left as WhatIsLeft
from bec_core.errors import (
    BecError,
    InvalidMessage,
    JobGone,
    ServiceError,
    ShutdownRequested,
    TaskStalled,
    TaskStopped,
)
from bec_core.logs import within
from bec_core.models import JobStatus, Message, decode_message
from bec_core.observer import Step
from bec_core.queues.emptiness import Emptiness
from bec_core.queues.release import release
from bec_core.queues.sweep import sweep
from bec_core.worker.alone import Gate
from bec_core.worker.attempt import Attempt
from bec_core.worker.brake import Brake
from bec_core.worker.canary import Judged, judge
from bec_core.worker.ending import (
    AlreadyDone,
    Blocked,
    Done,
    Ending,
    Failed,
    HandedBack,
    OurFault,
    Retry,
    SetAside,
)
from bec_core.worker.failures import describe
from bec_core.worker.heartbeat import Heartbeat
from bec_core.worker.hold import HeldTask
from bec_core.worker.life import ANSWER_S, SLOT, Life
from bec_core.worker.settle import cancelled, fault_in_settling, settle
from bec_core.worker.turns import Turn, Turns
from bec_core.worker.watchdog import EXIT_STUCK
from bec_core.worker.workplace import Workplace

STUCK_AFTER_S = 60.0
FAULTS_IN_A_ROW = 3
_TROUBLE_PAUSE_S = (1.0, 60.0)  # after trouble outside: first and longest pause before the next receive
_PAUSED_POLL_S = 1.0
# A database that is gone must not hold up a worker that is told to end; leases bring its tasks back.
_HURRY_S = 3.0
_LOOK_AGAIN_S = 0.2
_SWEEP_EVERY_S = 2.0


class End(StrEnum):
    """Why a worker ended."""

    NOTHING_LEFT = "nothing is left to do"
    WORK_LEFT = "volumes wait that can't be worked on now"
    STOPPED = "it was told to stop"
    COMPLETED = "the job is completed"
    DELETED = "the job was deleted"
    FAULT = "this program met a fault of its own"
    RELOAD = "a volume was asked for with a newer config"


@frozen
class WorkerSummary:
    """What a worker did: messages seen, why it ended, what the ledger said was left (None: not asked)."""

    messages: int
    end: End
    left: WhatIsLeft | None = None


@define
class _Tally:
    """What the slots know together."""

    messages: int = 0
    empty_receives: int = 0
    busy: int = 0
    trouble: int = 0
    faults: int = 0
    swept_at: dict[str, float] = field(factory=dict)
    end: End | None = None
    left: WhatIsLeft | None = None
    said_paused: bool = False
    changed: threading.Condition = field(factory=threading.Condition)


class BECWorker:
    """Takes a job's tasks until told to stop, or until nothing is left. Made by ``open_worker``."""

    def __init__(
        self,
        place: Workplace,
        heartbeat: Heartbeat,
        *,
        renew_at: int | None = None,
        life: Life | None = None,
    ) -> None:
        self._place = place
        self._life = life or Life()
        self._heartbeat = heartbeat
        self._renew_at = renew_at
        self._gate = Gate()
        self._turns = Turns(place.options.concurrency)
        self._brake = Brake(place)
        self._tally = _Tally()
        self._emptiness = Emptiness(place.services.queue.exact, place.options.empty_twice_s)
        self._draining = threading.Event()
        self._stopping = threading.Lock()  # taken by the first request to stop, and kept

    @property
    def worker_id(self) -> int:
        """The worker's id in the database."""
        return self._place.worker_id

    # -- stopping -------------------------------------------------------------------------------------

    def stop(self, *, within_s: float | None = None) -> None:
        """Ask the worker to stop: no new tasks; those at hand have the grace period. Callable from anywhere.

        ``within_s``: there is no more time than that, however long the grace is.
        """
        if self._stopping.acquire(blocking=False):
            self._end(End.STOPPED)
            self._life.drain()
            grace_s = self._place.options.grace_s
            grace_s = grace_s if within_s is None else min(grace_s, within_s)
            threading.Thread(target=self._end_grace, args=(grace_s,), name="bec-grace", daemon=True).start()

    def stop_now(self) -> None:
        """Ask the worker to hand its tasks back at once."""
        self._stopping.acquire(blocking=False)
        self._end(End.STOPPED)
        self._life.drain()
        self._place.database.hurry(_HURRY_S)
        self._place.keeper.stop_all(ShutdownRequested("the worker is stopping"))

    def _end_grace(self, grace_s: float) -> None:
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline:
            time.sleep(0.2)
        self.stop_now()

    def _end(self, why: End) -> None:
        """Take no more messages; the first reason stays."""
        if self._tally.end is None:
            self._tally.end = why
        self._draining.set()

    # -- the process ----------------------------------------------------------------------------------

    def run(self) -> WorkerSummary:
        """Work until told to stop or nothing is left; returns when the last task at hand has ended."""
        slots = [
            threading.Thread(target=self._slot, name=f"{SLOT}{n}")
            for n in range(1, self._place.options.most_at_once + 1)
        ]
        for slot in slots:
            slot.start()
        for slot in slots:
            while slot.is_alive():
                self._life.says("watching the slots", ANSWER_S)
                slot.join(0.1)
                if stuck := self._place.keeper.stuck:
                    self._end_the_process(stuck)
        return WorkerSummary(self._tally.messages, self._tally.end or End.FAULT, self._tally.left)

    def _end_the_process(self, stuck: list[HeldTask]) -> None:
        """A job's thread can't be stopped: give back what is at hand and let a new process take its place."""
        others = [held for held in self._place.keeper.held() if held not in stuck]
        try:
            for held in stuck:
                logger.critical("{}: the job did not stop when told to; ending the process", held.volume.ref)
            for held in [*stuck, *others]:
                if held.parts is not None:
                    held.parts.flush()
                settle(self._place, held.message, self._end_of_stuck(held))
        finally:
            sys.stderr.flush()
            os._exit(EXIT_STUCK)

    def _end_of_stuck(self, held: HeldTask) -> Retry | Failed | HandedBack:
        """A stall is the task's failure; a job that was told to stop for another reason is handed back."""
        reason = held.stop.reason or TaskStopped("its process had to end for another volume")
        failure = describe(reason, stage="run")
        if not isinstance(reason, TaskStalled):
            return HandedBack(failure, held)
        failures = held.claim.failures + 1
        if failures >= self._place.loaded.runtime.max_attempts:
            return Failed(held.volume.ref, failure, held)
        return Retry(held, failure, self._place.options.backoff_s(failures))

    # -- a slot ---------------------------------------------------------------------------------------

    def _slot(self) -> None:
        with within(job=self._place.job.name, worker=self.worker_id):
            try:
                self._serve()
            except BaseException as error:  # noqa: BLE001 - a slot that dies takes its worker along, with a status
                logger.opt(exception=error).critical("a slot of the worker died: {}", error)
                self._end(End.FAULT)
            finally:
                self._life.ends()

    def _serve(self) -> None:
        while not self._draining.is_set():
            self._life.ends()  # until the volume at hand comes to its last pages
            with self._turns.taken() as turn:
                if not self._draining.is_set():
                    self._have_turn(turn)

    def _have_turn(self, turn: Turn) -> None:
        status = self._heartbeat.job_status
        if status is None:
            self._gone()
        elif status is JobStatus.COMPLETED:
            logger.info("the job is completed: ending")
            self._end(End.COMPLETED)
        elif status is JobStatus.PAUSED:
            self._wait_paused()
        else:
            self._tally.said_paused = False
            try:
                self._take_one(turn, cancelled=status is JobStatus.CANCELLED)
            except JobGone:
                self._gone()
            except ServiceError as error:
                self._pause_after(error)
            except Exception as error:  # noqa: BLE001 - it is counted, and the third in a row ends the worker
                self._note_fault(error)

    def _wait_paused(self) -> None:
        with self._tally.changed:
            said, self._tally.said_paused = self._tally.said_paused, True
        if not said:
            logger.warning("the job is paused: waiting (bec jobs resume {})", self._place.job.name)
        self._life.says("the job is paused", _PAUSED_POLL_S + ANSWER_S)
        self._draining.wait(_PAUSED_POLL_S)

    def _gone(self) -> None:
        logger.warning("the job was deleted: ending; no message was touched")
        self._end(End.DELETED)

    def _take_one(self, turn: Turn, *, cancelled: bool) -> None:
        options, queue = self._place.options, self._place.services.queue
        self._life.says("waiting for a message", options.poll_wait_s + ANSWER_S)
        received = queue.receive(limit=1, wait_s=self._wait_s(), visibility_s=options.lease_s)
        if not received:
            self._nothing_received()
            return
        message = received[0]
        if self._draining.is_set():
            queue.extend(message, 0)
            return
        with self._tally.changed:
            self._tally.messages += 1
            self._tally.empty_receives = 0
            self._tally.busy += 1
        self._emptiness.something_came()
        try:
            if self._renew_at is not None and message.receive_count >= self._renew_at:
                # The queue itself would set it aside soon, without a reason. A fresh copy counts anew.
                queue.replace(message)
            else:
                self._see_through(message, turn, cancelled=cancelled)
        finally:
            with self._tally.changed:
                self._tally.busy -= 1
                # what came to nothing while a task ran tells nothing of its end
                self._tally.empty_receives = 0
                self._tally.changed.notify_all()

    def _wait_s(self) -> float:
        """How long to wait for a message: not at all where the ledger may say that nothing is left.

        It may at once, and again when what is at hand has ended: a message that is waited for till then comes late.
        """
        options, tally = self._place.options, self._tally
        look_first = options.until_drained and self._place.services.queue.exact
        return 0.0 if look_first and (tally.busy or not tally.empty_receives) else options.poll_wait_s

    def _see_through(self, message: Message, turn: Turn, *, cancelled: bool) -> None:
        self._place.watchers.step(Step.RECEIVED)
        attempted = self._cancelled(message) if cancelled else self._attempt(message, turn)
        try:
            ending = settle(self._place, message, attempted)
        except ServiceError:
            # whoever gets it next finds what is missing of its end
            self._place.services.queue.extend(message, self._place.options.backoff_s(message.receive_count))
            raise
        except JobGone:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours like any other, met at the last step
            ending = settle(self._place, message, fault_in_settling(attempted, error))
        match ending:
            case OurFault(error=met):
                self._note_fault(met)
            case HandedBack(reload=True):
                logger.warning("{}", ending.failure.message)
                self._end(End.RELOAD)
            case HandedBack(trouble=trouble) if trouble is not None:
                self._pause_after(trouble)
            case Done() | AlreadyDone() | Failed() | Retry() | SetAside() | Blocked():
                self._canary()
                if isinstance(ending, (Done, Failed, Retry)) and self._brake.look():
                    self._heartbeat.beat()
                with self._tally.changed:
                    self._tally.trouble = 0
                    self._tally.faults = 0
            case _:
                pass

    def _attempt(self, message: Message, turn: Turn) -> Ending:
        attempt = Attempt(self._place, self._gate, message, turn)
        self._life.says(attempt.told, self._patience_s, progress=attempt.progress)
        return attempt.run()

    @property
    def _patience_s(self) -> float:
        """For how long a slot at work may go without progress: the keeper gives it up long before."""
        return self._place.options.stall_timeout_s + STUCK_AFTER_S + ANSWER_S

    def _cancelled(self, message: Message) -> SetAside:
        try:
            return cancelled(self._place.job.name, decode_message(message))
        except InvalidMessage:
            return cancelled(self._place.job.name, None)

    # -- trouble and faults ---------------------------------------------------------------------------

    def _pause_after(self, error: BecError) -> None:
        with self._tally.changed:
            self._tally.trouble += 1
            trouble = self._tally.trouble
        shortest, longest = _TROUBLE_PAUSE_S
        pause = min(longest, shortest * 2.0 ** min(trouble - 1, 10))
        logger.error("{}; going on in {:.0f} s", error, pause)
        self._life.says(f"waiting after trouble: {error}", pause + ANSWER_S)
        self._draining.wait(pause)

    def _note_fault(self, error: BaseException) -> None:
        """Say a fault of ours once with its traceback; the third without a success between ends the worker."""
        with self._tally.changed:
            self._tally.faults += 1
            faults = self._tally.faults
        first = error if faults == 1 else None
        logger.opt(exception=first).error(
            "a fault of this program, not of the volume ({} of {} in a row): {}: {}",
            faults,
            FAULTS_IN_A_ROW,
            type(error).__name__,
            error,
        )
        if faults >= FAULTS_IN_A_ROW:
            logger.critical("ending: what comes next would meet it too; no volume was given up for it")
            self._end(End.FAULT)

    # -- the end of the queue -------------------------------------------------------------------------

    def _nothing_received(self) -> None:
        """An empty receive says nothing of what is left: the ledger does, and the queue's own figures."""
        self._life.says("looking what is left", self._patience_s)
        options = self._place.options
        if options.by_ledger and (self._feed() or (self._its_time_to_sweep("canary") and self._canary())):
            return
        with self._tally.changed:
            self._tally.empty_receives += 1
            quiet = self._tally.busy == 0
            empty = self._tally.empty_receives
        limit = options.shutdown_after_empty
        due = limit is not None and empty >= limit * options.concurrency
        if not quiet:
            self._wait_for_an_end()
            return
        if not (due or options.until_drained):
            return
        queue_was_empty = self._emptiness.look(self._place.services.queue.stats())
        if not options.by_ledger or self._heartbeat.job_status is JobStatus.CANCELLED:
            if queue_was_empty:
                self._end(End.NOTHING_LEFT)
            return
        with self._place.database.connection() as connection:
            found = ledger.left(connection, self._place.job.id)
        self._tally.left = found
        if found.blocked and self._release():
            with self._tally.changed:
                self._tally.empty_receives = 0
        elif found.over or (options.until_drained and not found.total):
            if queue_was_empty:
                logger.info("nothing is left to do: ending")
                self._end(End.NOTHING_LEFT)
            elif due and not self._emptiness.seen_once:
                self._end(End.WORK_LEFT)
        elif found.due and self._sweep(queue_was_empty):
            with self._tally.changed:
                self._tally.empty_receives = 0
        elif due and not options.until_drained and (queue_was_empty or not self._emptiness.seen_once):
            self._end(End.WORK_LEFT)
        # whoever doesn't end looks again, but not as fast as it can
        self._draining.wait(_LOOK_AGAIN_S if self._place.services.queue.exact else 5 * _LOOK_AGAIN_S)

    def _wait_for_an_end(self) -> None:
        """Nothing came while tasks are at hand: what is left is known when one has ended; else look again soon."""
        with self._tally.changed:
            busy = self._tally.busy
            self._tally.changed.wait_for(lambda: self._tally.busy < busy, _LOOK_AGAIN_S)

    def _release(self) -> int:
        """Release what is blocked although its inputs are done; looked for now and then only."""
        if not self._its_time_to_sweep("released"):
            return 0
        services = self._place.services
        return len(
            release(
                services.database,
                services.open_queue,
                self._place.job,
                sources=services.sources,
                store=services.store,
            )
        )

    def _feed(self) -> int:
        """In the place of the job's feeder, if it has one that does not live: send what that would."""
        if self._heartbeat.job_status is not JobStatus.ACTIVE or not self._its_time_to_sweep("fed"):
            return 0
        services = self._place.services
        with services.database.connection() as connection:
            feeder = feeding.feeder_of(connection, self._place.job.id)
        if feeder is None or feeder.alive:
            return 0
        sent = sweep(services.database, services.queue, self._place.job, queue_was_empty=False)
        if sent:
            logger.warning("nothing was heard of the job's feeder: sent {} messages in its place", sent)
        return sent

    def _canary(self) -> bool:
        """Judge the job's canary if all of it has ended; True: it has passed, and the rest was sent."""
        services = self._place.services
        judged = judge(services.database, self._place.job, self._place.loaded.type.metrics)
        if judged is Judged.FAILED:
            self._heartbeat.beat()
        if judged is not Judged.PASSED:
            return False
        self._life.says("sending what the canary held back", self._patience_s)
        return sweep(services.database, services.queue, self._place.job, queue_was_empty=False) > 0

    def _its_time_to_sweep(self, what: str) -> bool:
        now = time.monotonic()
        with self._tally.changed:
            last = self._tally.swept_at.get(what)
            if last is not None and now - last < _SWEEP_EVERY_S:
                return False
            self._tally.swept_at[what] = now
            return True

    def _sweep(self, queue_was_empty: bool) -> int:
        """Send again what waits although its message is gone; looked for now and then only."""
        if self._heartbeat.job_status is not JobStatus.ACTIVE or not self._its_time_to_sweep("sent"):
            return 0
        services = self._place.services
        return sweep(services.database, services.queue, self._place.job, queue_was_empty=queue_was_empty)
