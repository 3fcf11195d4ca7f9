"""The worker process's life: set up, slots that receive and process, shutdown."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from attrs import define, field, frozen
from loguru import logger

from bec_core.archive.sources import Sources
from bec_core.db import Database, workers
from bec_core.errors import BecError, ServiceError, ShutdownRequested, TaskStopped
from bec_core.job import JobType, JobWorker, WorkerSetup
from bec_core.job_config import RuntimeConfig, structure_config
from bec_core.models import Job, JobStatus, Message
from bec_core.plugins import load_object
from bec_core.queues.base import TaskQueue
from bec_core.storage import Store
from bec_core.worker import process
from bec_core.worker.heartbeat import Heartbeat
from bec_core.worker.lease import HeldTask, LeaseKeeper
from bec_core.worker.observer import WorkerObserver
from bec_core.worker.options import WorkerOptions
from bec_core.worker.task import TaskRunner

EXIT_STUCK = 70
"""The process's exit status when a job did not come back after it was told to stop (EX_SOFTWARE)."""

_STUCK_AFTER_S = 60.0
_TROUBLE_PAUSE_S = (1.0, 60.0)  # after trouble outside: first and longest pause before the next receive
_PAUSED_POLL_S = 1.0
# A database that is gone must not hold up a worker that is told to end; leases bring its tasks back.
_HURRY_S = 3.0
_OTHER_CONNECTIONS = 3  # the lease keeper's, the heartbeat's, and one to spare


@frozen
class WorkerSummary:
    """What a worker did: messages seen, and whether it ended because nothing was left."""

    messages: int
    idle: bool


@frozen
class Services:
    """What a worker works with; all opened and closed by the caller."""

    database: Database
    queue: TaskQueue
    dead_letters: TaskQueue
    sources: Sources
    store: Store


@define
class _Tally:
    """What the slots count together."""

    messages: int = 0
    empty_receives: int = 0
    busy: int = 0
    trouble: int = 0
    lock: threading.Lock = field(factory=threading.Lock)


class BECWorker:
    """Takes a job's tasks until told to stop, or until nothing is left. Made by :func:`open_worker`."""

    def __init__(
        self, runner: TaskRunner, keeper: LeaseKeeper, heartbeat: Heartbeat, options: WorkerOptions
    ) -> None:
        self._runner = runner
        self._keeper = keeper
        self._heartbeat = heartbeat
        self._options = options
        self._tally = _Tally()
        self._draining = threading.Event()
        self._drained_by_request = False

    @property
    def worker_id(self) -> int:
        """The worker's id in the database."""
        return self._runner.worker_id

    def stop(self) -> None:
        """Ask the worker to stop: no new tasks; those at hand have the grace period. Callable from anywhere."""
        if not self._drained_by_request:
            self._drained_by_request = True
            self._draining.set()
            threading.Thread(target=self._end_grace, name="bec-grace", daemon=True).start()

    def stop_now(self) -> None:
        """Ask the worker to hand its tasks back at once."""
        self._drained_by_request = True
        self._draining.set()
        self._runner.database.hurry(_HURRY_S)
        self._keeper.stop_all(ShutdownRequested("the worker is stopping"))

    def _end_grace(self) -> None:
        deadline = time.monotonic() + self._options.grace_s
        while time.monotonic() < deadline:
            time.sleep(0.2)
        self.stop_now()

    def run(self) -> WorkerSummary:
        """Work until told to stop or nothing is left; returns when the last task at hand has ended."""
        slots = [
            threading.Thread(target=self._slot, name=f"bec-slot-{n}")
            for n in range(1, self._options.concurrency + 1)
        ]
        for slot in slots:
            slot.start()
        for slot in slots:
            slot.join()
        return WorkerSummary(self._tally.messages, idle=not self._drained_by_request)

    # -- a slot ---------------------------------------------------------------------------------------

    def _slot(self) -> None:
        with logger.contextualize(job=self._runner.job.name, worker=self.worker_id):
            while not self._draining.is_set():
                status = self._heartbeat.job_status
                if status in (JobStatus.PAUSED, JobStatus.COMPLETED):
                    self._draining.wait(_PAUSED_POLL_S)
                    continue
                try:
                    self._take_one(cancelled=status is JobStatus.CANCELLED)
                except Exception as error:  # noqa: BLE001 - whatever it is, the slot goes on after a pause
                    self._pause_after(error)

    def _take_one(self, *, cancelled: bool) -> None:
        received = self._runner.queue.receive(
            limit=1, wait_s=self._options.poll_wait_s, visibility_s=self._options.lease_s
        )
        if not received:
            self._note_empty()
            return
        message = received[0]
        if self._draining.is_set():
            self._runner.queue.extend(message, 0)
            return
        with self._tally.lock:
            self._tally.messages += 1
            self._tally.empty_receives = 0
            self._tally.busy += 1
        try:
            if cancelled:
                self._runner.set_aside_cancelled(message)
            else:
                self._process(message)
        finally:
            with self._tally.lock:
                self._tally.busy -= 1

    def _process(self, message: Message) -> None:
        """Process a message; what is not the task's own failure leaves the message for a later delivery."""
        try:
            self._runner.process(message)
        except Exception as error:
            if message.receive_count >= self._options.max_receives:
                self._runner.give_up(message, error)
                return
            self._runner.queue.extend(message, self._options.backoff_s(message.receive_count))
            raise
        with self._tally.lock:
            self._tally.trouble = 0

    def _note_empty(self) -> None:
        with self._tally.lock:
            self._tally.empty_receives += 1
            quiet = self._tally.busy == 0
            empty = self._tally.empty_receives
        limit = self._options.shutdown_after_empty
        if quiet and limit is not None and empty >= limit * self._options.concurrency:
            logger.info("nothing to do after {} empty receives: stopping", empty)
            self._draining.set()
        elif quiet and self._options.until_drained:
            stats = self._runner.queue.stats()
            if stats.available + stats.in_flight + stats.delayed == 0:
                self._draining.set()

    def _pause_after(self, error: Exception) -> None:
        with self._tally.lock:
            self._tally.trouble += 1
            trouble = self._tally.trouble
        shortest, longest = _TROUBLE_PAUSE_S
        pause = min(longest, shortest * 2.0 ** min(trouble - 1, 10))
        unexpected = None if isinstance(error, BecError) else error  # a bug of ours: with its traceback
        logger.opt(exception=unexpected).error("{}; going on in {:.0f} s", error, pause)
        self._draining.wait(pause)


@contextmanager
def open_worker(
    *,
    job: Job,
    job_type: JobType,
    services: Services,
    options: WorkerOptions,
    name: str,
    model_path: Any = None,
    observer: WorkerObserver | None = None,
) -> Iterator[BECWorker]:
    """Build a worker for a job, register it, and on leaving close everything and mark it as stopped.

    Raises:
        JobConfigError: the job's config does not fit its plugin.
        PluginError: the plugin's worker can't be imported.
    """
    config, runtime = structure_config(job.config, job_type.config)
    setup = WorkerSetup(
        config=config, model_path=model_path, concurrency=options.concurrency, options=options.job_options
    )
    # a slot that waits at a queue in PostgreSQL holds one; the keeper must never wait behind them
    services.database.allow(options.concurrency + _OTHER_CONNECTIONS)
    with ExitStack() as stack:
        _release_what_the_dead_hold(services.database)
        job_worker: JobWorker = stack.enter_context(closing(load_object(job_type.worker)(setup)))
        worker_id = _register(services.database, job, name, options)
        stack.callback(_mark_stopped, services.database, worker_id)
        runner = _runner(job, job_type, job_worker, config, runtime, worker_id, services, options, observer)
        heartbeat = Heartbeat(
            services.database,
            worker_id=worker_id,
            job=job,
            every_s=options.heartbeat_s,
            held=runner.keeper.held,
        )
        runner.keeper.start()
        stack.callback(runner.keeper.close)
        heartbeat.start()
        stack.callback(heartbeat.close)
        yield BECWorker(runner, runner.keeper, heartbeat, options)


def _runner(
    job: Job,
    job_type: JobType,
    job_worker: JobWorker,
    config: Any,
    runtime: RuntimeConfig,
    worker_id: int,
    services: Services,
    options: WorkerOptions,
    observer: WorkerObserver | None,
) -> TaskRunner:
    def end_the_process(held: HeldTask) -> None:
        """The job's thread can't be stopped: give its task back and let a new process take its place."""
        logger.critical("{}: the job did not stop when told to; ending the process", held.volume.ref)
        reason = held.stop.reason or TaskStopped("the job did not stop")
        try:
            runner.hand_back(held, reason)
        finally:
            sys.stderr.flush()
            os._exit(EXIT_STUCK)

    keeper = LeaseKeeper(
        services.database,
        services.queue,
        lease_s=options.lease_s,
        stall_timeout_s=options.stall_timeout_s,
        stuck_after_s=_STUCK_AFTER_S,
        on_stuck=end_the_process,
    )
    runner = TaskRunner(
        job=job,
        job_type=job_type,
        job_worker=job_worker,
        config=config,
        runtime=runtime,
        worker_id=worker_id,
        database=services.database,
        queue=services.queue,
        dead_letters=services.dead_letters,
        sources=services.sources,
        store=services.store,
        keeper=keeper,
        options=options,
        observer=observer or WorkerObserver(),
    )
    return runner


def _register(database: Database, job: Job, name: str, options: WorkerOptions) -> int:
    with database.connection() as connection:
        return workers.register(
            connection,
            name=name,
            hostname=socket.gethostname(),
            job_id=job.id,
            process=process.own_token(),
            tags=options.tags,
        )


def _mark_stopped(database: Database, worker_id: int) -> None:
    try:
        with database.connection() as connection:
            workers.stop(connection, worker_id)
    except ServiceError as error:
        logger.warning("could not record that the worker stopped: {}", error)


def _release_what_the_dead_hold(database: Database) -> None:
    """Free at once what workers of this machine held whose processes are gone, rather than wait for the lease."""
    with database.connection() as connection:
        for worker_id, token in workers.unstopped_on_host(connection, socket.gethostname()):
            if process.is_dead(token):
                freed = workers.release_leases_of(connection, worker_id)
                workers.stop(connection, worker_id)
                logger.info(
                    "worker {} of this machine died; {} of its tasks are free again", worker_id, freed
                )
