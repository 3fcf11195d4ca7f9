"""How a task's life ends, or is interrupted: what is written, and what becomes of its message."""

from __future__ import annotations

from attrs import field, frozen
from loguru import logger

from bec_core.db import Database, tasks, volumes
from bec_core.errors import (
    InvalidMessage,
    LeaseLost,
    QueueUnavailable,
    ServiceError,
    TaskError,
    TaskStalled,
    TaskStopped,
)
from bec_core.job_config import RuntimeConfig
from bec_core.models import (
    Job,
    Message,
    OutgoingMessage,
    TaskResult,
    TaskStatus,
    VolumeRef,
    decode_message,
)
from bec_core.queues.base import TaskQueue
from bec_core.worker.context import RunningTask
from bec_core.worker.dead_letters import letter
from bec_core.worker.failures import describe, is_retryable
from bec_core.worker.lease import HeldTask
from bec_core.worker.marker import outcome_of, outcome_of_marker
from bec_core.worker.observer import Step, WorkerObserver
from bec_core.worker.options import WorkerOptions
from bec_core.worker.publish import TaskFolder

_SLACK_S = 1.0  # a message that is left to another worker comes back this long after that one's lease


@frozen(kw_only=True)
class TaskEndings:
    """The ends of a task. Row and ledger are written first, then the message is set aside, hidden or deleted."""

    job: Job
    worker_id: int
    runtime: RuntimeConfig
    options: WorkerOptions
    database: Database = field(repr=False)
    queue: TaskQueue = field(repr=False)
    dead_letters: TaskQueue = field(repr=False)
    observer: WorkerObserver = field(repr=False)

    def give_up(self, message: Message, error: BaseException) -> None:
        """Dead-letter a message that was delivered too often without its task ever getting its turn."""
        try:
            ref = decode_message(message)
        except InvalidMessage as invalid:
            self._set_aside(message, invalid)
            return
        self._fail_unresolved(message, ref, error)

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
