"""One task's life, from a message in hand to a message deleted.

Everything that must survive a crash between two steps is repaired by the message's next delivery:
artifacts are replaced, a marker without a row makes the row, a row without a deleted message is found
done. Nothing here deletes a message of a task that is not done, failed for good, or no task at all.
"""

from __future__ import annotations

import time
from typing import Any

from attrs import field, frozen
from loguru import logger

from bec_core.archive.sources import Sources
from bec_core.db import Database, jobs, tasks, volumes
from bec_core.errors import (
    InvalidMessage,
    LeaseLost,
    NotFoundError,
    ObjectNotFound,
    PagesMayPass,
    QueueUnavailable,
    RetryableTaskError,
    ServiceError,
    TaskError,
    TaskStalled,
    TaskStopped,
    TooManyDeliveries,
    TooManyPageErrors,
    VolumeEmpty,
)
from bec_core.job import JobType, JobWorker
from bec_core.job_config import RuntimeConfig
from bec_core.models import (
    Job,
    Message,
    OutgoingMessage,
    TaskResult,
    TaskStatus,
    Volume,
    VolumeRef,
    decode_message,
)
from bec_core.queues.base import TaskQueue
from bec_core.storage import Store
from bec_core.worker.context import RunningTask
from bec_core.worker.dead_letters import letter
from bec_core.worker.failures import describe, is_retryable
from bec_core.worker.lease import HeldTask, LeaseKeeper
from bec_core.worker.marker import marker_content, outcome_of, outcome_of_marker
from bec_core.worker.observer import Step, WorkerObserver
from bec_core.worker.options import WorkerOptions
from bec_core.worker.publish import TaskFolder, write_artifacts, write_marker

_BEYOND_HOPE = 2  # deliveries after the last one: not even resolving the volume survives
_SLACK_S = 1.0  # a message that is left to another worker comes back this long after that one's lease


@frozen
class TaskRunner:
    """Processes messages of one job; shared by the worker's slots. ``process`` is thread-safe."""

    job: Job
    job_type: JobType
    job_worker: JobWorker = field(repr=False)
    config: Any
    runtime: RuntimeConfig
    worker_id: int
    database: Database = field(repr=False)
    queue: TaskQueue = field(repr=False)
    dead_letters: TaskQueue = field(repr=False)
    sources: Sources = field(repr=False)
    store: Store = field(repr=False)
    keeper: LeaseKeeper = field(repr=False)
    options: WorkerOptions
    observer: WorkerObserver = field(factory=WorkerObserver, repr=False)

    def process(self, message: Message) -> None:
        """See a message through, whatever it asks for.

        Raises:
            ServiceError: the database, the queue or the store is in trouble; the message stays.
        """
        self.observer.step(Step.RECEIVED)
        try:
            ref = decode_message(message)
        except InvalidMessage as error:
            logger.error("message {} is set aside: {}", message.id, error)
            self._set_aside(message, error)
            return
        with logger.contextualize(volume=str(ref)):
            if message.receive_count > self.options.max_receives + _BEYOND_HOPE:
                self._fail_unresolved(message, ref, _too_many_deliveries(message))
                return
            try:
                volume = self.sources.resolve(ref)
            except TaskError as error:
                if error.retryable:
                    raise ServiceError(str(error)) from error
                self._fail_unresolved(message, ref, error)
                return
            self.observer.step(Step.RESOLVED)
            self.observer.message_taken(message.id, volume)
            self._process_volume(message, volume)

    def give_up(self, message: Message, error: BaseException) -> None:
        """Dead-letter a message that was delivered too often without its task ever getting its turn."""
        try:
            ref = decode_message(message)
        except InvalidMessage as invalid:
            self._set_aside(message, invalid)
            return
        self._fail_unresolved(message, ref, error)

    # -- the steps ------------------------------------------------------------------------------------

    def _process_volume(self, message: Message, volume: Volume) -> None:
        folder = TaskFolder(self.store, self.job.artifact_root, volume)
        if self._done_before(message, folder):
            return
        claimed = self._claim(message, volume)
        if isinstance(claimed, tasks.NotClaimed) and claimed.status is TaskStatus.DONE:
            if self._done_before(message, folder):  # it was finished since we looked
                return
            logger.warning("the task's row says done, but no marker stands in {}: doing it again", folder.uri)
            claimed = self._claim(message, volume, even_if_done=True)
        if isinstance(claimed, tasks.NotClaimed):
            self._leave(message, claimed)
            return
        self.observer.step(Step.CLAIMED)
        ends = time.monotonic() + self.options.lease_s
        held = HeldTask(claim=claimed, message=message, volume=volume, lease_ends=ends)
        with self.keeper.hold(held), logger.contextualize(task=claimed.task_id, attempt=claimed.attempt):
            self._work(held, folder)

    def _claim(
        self, message: Message, volume: Volume, *, even_if_done: bool = False
    ) -> tasks.Claim | tasks.NotClaimed:
        with self.database.connection() as connection:
            return tasks.claim(
                connection,
                job_id=self.job.id,
                volume_id=volumes.upsert(connection, volume),
                etag=volume.etag,
                version=volume.version,
                worker_id=self.worker_id,
                lease_s=self.options.lease_s,
                config_revision=self.job.config_revision,
                plugin_version=self.job_type.version,
                asked_at=message.enqueued_at,
                even_if_done=even_if_done,
            )

    def _leave(self, message: Message, refused: tasks.NotClaimed) -> None:
        """Leave a task that is not to be had now: its message stays, hidden until it may be."""
        if refused.failure is not None:
            logger.info("failed for good before; this message is set aside with that reason")
            self._set_aside(message, TaskError(refused.failure.message), refused.failure)
            return
        logger.info("left for {:.0f} s: the task is {}", refused.wait_s, refused.status.value)
        if message.receive_count >= self.options.max_receives:
            # The other one works for longer than this message may wait: the queue itself would set it
            # aside. A fresh copy starts counting (and, on SQS, its twelve hours) anew.
            if failed := self.queue.send([OutgoingMessage(message.body, message.attributes)]):
                raise QueueUnavailable(f"message {message.id} could not be renewed: {failed[0].reason}")
            self._delete(message)
            return
        self.queue.extend(message, refused.wait_s + _SLACK_S)

    def _work(self, held: HeldTask, folder: TaskFolder) -> None:
        volume = held.volume
        self.observer.task_started(volume, held.claim.attempt)
        logger.info("{} pages, version {}", len(volume.pages), volume.version)
        context = RunningTask(
            config=self.config,
            held=held,
            basename=folder.basename,
            sources=self.sources,
            read_dependency=lambda job_name, suffix: self._dependency(volume, job_name, suffix),
            on_page=lambda done: self.observer.page_done(volume, done, len(volume.pages)),
        )
        stage = "resolve"
        try:
            self._refuse_hopeless(held)
            stage = "run"
            result = self.job_worker.run(context)
            held.stop.check()
            self._refuse_page_errors(held, context, result)
            self.observer.step(Step.WORKED)
            stage = "publish"
            self._publish(held, folder, context, result)
        except TaskStopped as stopped:
            self._stopped(held, stopped)
        except ServiceError as error:
            if error.retryable and held.message.receive_count < self.options.max_receives:
                self._put_off(held, error, stage=stage)
                raise
            self._failed(held, context, error, stage=stage, final=True)
        except Exception as error:  # noqa: BLE001 - a job may raise anything; it is recorded with its traceback
            self._failed(held, context, error, stage=stage)

    def _refuse_hopeless(self, held: HeldTask) -> None:
        if not held.volume.pages:
            raise VolumeEmpty(f"{held.volume.ref} at version {held.volume.version} has not a single page")
        if held.message.receive_count > self.options.max_receives:
            raise _too_many_deliveries(held.message)

    def _refuse_page_errors(self, held: HeldTask, context: RunningTask, result: TaskResult) -> None:
        """Fail the task for too many bad pages, or, unless it is its last attempt, for some that may pass."""
        if result.nb_errors > self.runtime.max_page_error_rate * result.total_images:
            raise TooManyPageErrors(
                f"{result.nb_errors} of {result.total_images} pages failed"
                f" (allowed: {self.runtime.max_page_error_rate:.0%})"
            )
        may_pass = [failure for failure in context.failures if failure.retryable]
        if may_pass and held.claim.failures + 1 < self.runtime.max_attempts:
            first = may_pass[0]
            raise PagesMayPass(
                f"{len(may_pass)} of {result.total_images} pages failed for a reason that may pass;"
                f" first {first.img_filename}: {first.error_type}: {first.message[:200]}"
            )

    def _publish(self, held: HeldTask, folder: TaskFolder, context: RunningTask, result: TaskResult) -> None:
        if self._done_before(held.message, folder):  # our predecessor's last write came through after all
            return
        outcome = outcome_of(held, context, result)
        files = context.files()
        if context.errors_name not in files and folder.exists(context.errors_name):
            files[context.errors_name] = (
                b""  # an earlier attempt left it; a swap can't harm a successor, a delete could
            )
        artifacts = write_artifacts(
            folder,
            files,
            confirm=lambda: self.keeper.verify(held),
            written=lambda: self.observer.step(Step.ARTIFACT_WRITTEN),
        )
        self.observer.step(Step.ARTIFACTS_WRITTEN)
        marker = marker_content(self.job, self.job_type, self.worker_id, held, result, outcome, artifacts)
        write_marker(folder, marker, confirm=lambda: self.keeper.verify(held))
        self.observer.step(Step.MARKER_WRITTEN)
        with self.database.connection() as connection:
            if not tasks.finish(connection, held.claim, outcome):
                raise LeaseLost("the task's lease was taken over after its marker was written")
        self.observer.step(Step.ROW_WRITTEN)
        self._delete(held.message)
        logger.info(
            "done: {} pages, {} failed, {:.1f} s ({:.1f} pages/s)",
            result.total_images,
            result.nb_errors,
            outcome.wall_clock_duration_ms / 1000,
            1000 * result.total_images / max(1.0, outcome.wall_clock_duration_ms),
        )
        self.observer.task_finished(held.volume, "done")

    # -- the ends -------------------------------------------------------------------------------------

    def _done_before(self, message: Message, folder: TaskFolder) -> bool:
        """If the task's marker stands, let the row say so and delete the message.

        A marker whose row does not say done is the work of a worker that ended between the two, or that
        slept right before it wrote it: it counts only if what lies there is what it lists.
        """
        volume = folder.volume
        marker = folder.marker()
        if marker is None:
            return False
        with self.database.connection() as connection:
            volume_id = volumes.upsert(connection, volume)
            said = tasks.says_done(connection, job_id=self.job.id, volume_id=volume_id, etag=volume.etag)
        if not said and not folder.intact(marker):
            logger.warning(
                "the marker in {} lists other artifacts than lie there: doing it again", folder.uri
            )
            return False
        with self.database.connection() as connection:
            repaired = tasks.repair_done(
                connection,
                job_id=self.job.id,
                volume_id=volume_id,
                etag=volume.etag,
                version=volume.version,
                outcome=outcome_of_marker(marker),
            )
        logger.info("already done{}", "; its row was made to say so" if repaired else "")
        self._delete(message)
        self.observer.task_finished(volume, "already-done")
        return True

    def _put_off(self, held: HeldTask, error: ServiceError, *, stage: str) -> None:
        """Give the task back because something outside is in trouble: that is no failure of the task."""
        with self.database.connection() as connection:
            tasks.fail(connection, held.claim, describe(error, stage=stage), terminal=False, counts=False)
        self.observer.task_finished(held.volume, TaskStatus.RETRYABLE_FAILED.value, str(error))

    def _failed(
        self, held: HeldTask, context: RunningTask, error: Exception, *, stage: str, final: bool = False
    ) -> None:
        failure = describe(error, stage=stage)
        failures = held.claim.failures + 1
        terminal = final or not is_retryable(error) or failures >= self.runtime.max_attempts
        backoff = self.options.backoff_s(failures)
        figures = TaskResult(len(held.volume.pages), len(context.failures))
        with self.database.connection() as connection:
            ours = tasks.fail(
                connection,
                held.claim,
                failure,
                terminal=terminal,
                retry_s=backoff,
                outcome=outcome_of(held, context, figures),
            )
        if not ours:
            self._stopped(held, LeaseLost("the task's lease was taken over before its failure was recorded"))
            return
        self.observer.step(Step.FAILURE_WRITTEN)
        status = TaskStatus.TERMINAL_FAILED if terminal else TaskStatus.RETRYABLE_FAILED
        logger.opt(exception=error).error(
            "{} (failure {} of {}): {}", status.value, failures, self.runtime.max_attempts, failure.message
        )
        if terminal:
            self._set_aside(held.message, error, failure)
        else:
            self.queue.extend(held.message, backoff)
        self.observer.task_finished(held.volume, status.value, f"{failure.error_type}: {failure.message}")

    def _stopped(self, held: HeldTask, stopped: TaskStopped) -> None:
        """Hand the task back: nothing is published. A stall counts as the task's failure, a shutdown doesn't."""
        logger.warning("stopped: {}", stopped)
        self.observer.task_finished(held.volume, "stopped", str(stopped))
        if isinstance(stopped, LeaseLost):
            return  # row and message are its new owner's
        self.hand_back(held, stopped)

    def hand_back(self, held: HeldTask, stopped: TaskStopped) -> None:
        """Release the lease and show the message again; the task's row says why."""
        stalled = isinstance(stopped, TaskStalled)
        failures = held.claim.failures + int(stalled)
        terminal = stalled and failures >= self.runtime.max_attempts
        failure = describe(stopped, stage="run")
        with self.database.connection() as connection:
            ours = tasks.fail(connection, held.claim, failure, terminal=terminal, counts=stalled)
        if ours and terminal:
            self._set_aside(held.message, stopped, failure)
        elif ours:
            self.queue.extend(held.message, 0)

    def _fail_unresolved(self, message: Message, ref: VolumeRef, error: BaseException) -> None:
        """Record and dead-letter a volume that can't even be looked at."""
        failure = describe(error, stage="resolve")
        logger.error("terminal_failed: {}", failure.message)
        with self.database.connection() as connection:
            tasks.fail_unclaimed(
                connection,
                job_id=self.job.id,
                volume_id=volumes.upsert_ref(connection, ref),
                worker_id=self.worker_id,
                failure=failure,
                config_revision=self.job.config_revision,
            )
        self.observer.step(Step.FAILURE_WRITTEN)
        self._set_aside(message, error, failure)

    def set_aside_cancelled(self, message: Message) -> None:
        """Dead-letter a message of a cancelled job; the ledger says so too."""
        cancelled = TaskError(f"the job {self.job.name} is cancelled")
        failure = describe(cancelled, stage="receive")
        try:
            ref = decode_message(message)
        except InvalidMessage:
            pass
        else:
            with self.database.connection() as connection:
                volume_id = volumes.upsert_ref(connection, ref)
                tasks.fail_waiting(connection, self.job.id, volume_id, failure)
        self._set_aside(message, cancelled, failure)

    def _set_aside(
        self, message: Message, error: BaseException, failure: tasks.Failure | None = None
    ) -> None:
        """Send the message to the dead-letter queue with the reason in its attributes, then delete it."""
        failed = self.dead_letters.send([letter(message, failure or describe(error, stage="receive"))])
        if failed:
            raise ServiceError(f"the dead-letter queue refused message {message.id}: {failed[0].reason}")
        self.observer.step(Step.DEAD_LETTERED)
        self._delete(message)

    def _delete(self, message: Message) -> None:
        self.queue.delete(message)
        self.observer.step(Step.MESSAGE_DELETED)

    def _dependency(self, volume: Volume, job_name: str, suffix: str) -> bytes:
        if job_name not in self.job_type.depends_on:
            raise ValueError(f"{self.job_type.name} does not declare that it depends on {job_name!r}")
        try:
            with self.database.connection() as connection:
                root = jobs.get(connection, job_name).artifact_root
        except NotFoundError:
            root = job_name  # done by another installation; its artifacts may be there all the same
        folder = TaskFolder(self.store, root, volume)
        if folder.marker() is None:
            raise RetryableTaskError(f"{job_name} has not done {volume.ref} at version {volume.version} yet")
        try:
            return folder.read(suffix)
        except ObjectNotFound as error:
            raise RetryableTaskError(str(error)) from error


def _too_many_deliveries(message: Message) -> TooManyDeliveries:
    return TooManyDeliveries(
        f"delivered {message.receive_count} times, and no worker ever said what became of it:"
        " it may be what kills them (memory?)"
    )
