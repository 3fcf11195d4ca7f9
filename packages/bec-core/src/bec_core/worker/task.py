"""One task's life, from a message in hand to a message deleted.

Everything that must survive a crash between two steps is repaired by the message's next delivery:
artifacts are replaced, a marker without a row makes the row, a row without a deleted message is found
done. Nothing here deletes a message of a task that is not done, failed for good, or no task at all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
from attrs import field, frozen
from loguru import logger

from bec_core.archive.sources import Sources
from bec_core.db import Database, jobs, tasks, volumes
from bec_core.errors import (
    InvalidMessage,
    LeaseLost,
    NotFoundError,
    ObjectNotFound,
    RetryableTaskError,
    ServiceError,
    TaskError,
    TaskStalled,
    TaskStopped,
    TooManyPageErrors,
)
from bec_core.job import JobType, JobWorker
from bec_core.job_config import RuntimeConfig
from bec_core.models import (
    Artifact,
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
from bec_core.worker.failures import describe, is_retryable
from bec_core.worker.lease import HeldTask, LeaseKeeper
from bec_core.worker.observer import Step, WorkerObserver
from bec_core.worker.options import WorkerOptions
from bec_core.worker.publish import TaskFolder, write_artifacts, write_marker

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
        marker = folder.marker()
        if marker is not None:
            self._already_done(message, volume, marker)
            return
        claimed = self._claim(volume)
        if isinstance(claimed, tasks.NotClaimed) and claimed.status is TaskStatus.DONE:
            marker = folder.marker()  # it may have been finished since we looked
            if marker is not None:
                self._already_done(message, volume, marker)
                return
            logger.warning("the task's row says done, but no marker stands in {}: doing it again", folder.uri)
            claimed = self._claim(volume, even_if_done=True)
        if isinstance(claimed, tasks.NotClaimed):
            logger.info("left for {:.0f} s: the task is {}", claimed.wait_s, claimed.status.value)
            self.queue.extend(message, claimed.wait_s + _SLACK_S)
            return
        self.observer.step(Step.CLAIMED)
        ends = time.monotonic() + self.options.lease_s
        held = HeldTask(claim=claimed, message=message, volume=volume, lease_ends=ends)
        with self.keeper.hold(held), logger.contextualize(task=claimed.task_id, attempt=claimed.attempt):
            self._work(held, folder)

    def _claim(self, volume: Volume, *, even_if_done: bool = False) -> tasks.Claim | tasks.NotClaimed:
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
                even_if_done=even_if_done,
            )

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
        stage = "run"
        try:
            result = self.job_worker.run(context)
            held.stop.check()
            self._refuse_too_many_page_errors(result)
            self.observer.step(Step.WORKED)
            stage = "publish"
            self._publish(held, folder, context, result)
        except TaskStopped as stopped:
            self._stopped(held, stopped)
        except ServiceError as error:
            self._failed(held, context, error, stage=stage)
        except Exception as error:  # noqa: BLE001 - a job may raise anything; it is recorded with its traceback
            self._failed(held, context, error, stage=stage)

    def _refuse_too_many_page_errors(self, result: TaskResult) -> None:
        if result.nb_errors > self.runtime.max_page_error_rate * result.total_images:
            raise TooManyPageErrors(
                f"{result.nb_errors} of {result.total_images} pages failed"
                f" (allowed: {self.runtime.max_page_error_rate:.0%})"
            )

    def _publish(self, held: HeldTask, folder: TaskFolder, context: RunningTask, result: TaskResult) -> None:
        earlier = folder.marker()
        if earlier is not None:  # our predecessor's last write came through after all
            self._already_done(held.message, held.volume, earlier)
            return
        outcome = self._outcome(held, context, result)
        artifacts = write_artifacts(
            folder,
            context.files(),
            confirm=lambda: self.keeper.verify(held),
            written=lambda: self.observer.step(Step.ARTIFACT_WRITTEN),
        )
        self.observer.step(Step.ARTIFACTS_WRITTEN)
        marker = self._marker(held, result, outcome, artifacts)
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

    def _already_done(self, message: Message, volume: Volume, marker: Mapping[str, Any]) -> None:
        with self.database.connection() as connection:
            repaired = tasks.repair_done(
                connection,
                job_id=self.job.id,
                volume_id=volumes.upsert(connection, volume),
                etag=volume.etag,
                version=volume.version,
                outcome=outcome_of_marker(marker),
            )
        logger.info("already done{}", "; its row was made to say so" if repaired else "")
        self._delete(message)
        self.observer.task_finished(volume, "already-done")

    def _failed(self, held: HeldTask, context: RunningTask, error: Exception, *, stage: str) -> None:
        failure = describe(error, stage=stage)
        failures = held.claim.failures + 1
        terminal = not is_retryable(error) or failures >= self.runtime.max_attempts
        backoff = self.options.backoff_s(failures)
        figures = TaskResult(len(held.volume.pages), len(context.failures))
        with self.database.connection() as connection:
            ours = tasks.fail(
                connection,
                held.claim,
                failure,
                terminal=terminal,
                retry_s=backoff,
                outcome=self._outcome(held, context, figures),
            )
        if not ours:
            self._stopped(held, LeaseLost("the task's lease was taken over before its failure was recorded"))
            return
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
        self._set_aside(message, error, failure)

    def set_aside_cancelled(self, message: Message) -> None:
        """Dead-letter a message of a cancelled job."""
        self._set_aside(message, TaskError(f"the job {self.job.name} is cancelled"))

    def _set_aside(
        self, message: Message, error: BaseException, failure: tasks.Failure | None = None
    ) -> None:
        """Send the message to the dead-letter queue with the reason in its attributes, then delete it."""
        why = failure or describe(error, stage="receive")
        attributes = {
            **message.attributes,
            "error_stage": why.stage,
            "error_type": why.error_type,
            "error_message": why.message[:500],
            "error_fingerprint": why.fingerprint,
            "failed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        failed = self.dead_letters.send([OutgoingMessage(message.body, attributes)])
        if failed:
            raise ServiceError(f"the dead-letter queue refused message {message.id}: {failed[0].reason}")
        self._delete(message)

    def _delete(self, message: Message) -> None:
        self.queue.delete(message)
        self.observer.step(Step.MESSAGE_DELETED)

    # -- what goes into the row and the marker --------------------------------------------------------

    def _outcome(self, held: HeldTask, context: RunningTask, result: TaskResult) -> tasks.Outcome:
        return tasks.Outcome(
            total_images=result.total_images,
            nb_errors=result.nb_errors,
            total_duration_ms=result.page_ms,
            avg_duration_per_page_ms=result.page_ms / max(1, result.total_images),
            wall_clock_duration_ms=(time.monotonic() - held.started) * 1000,
            stage_ms=result.stage_ms,
            errors_by_stage=context.errors_by_stage,
        )

    def _marker(
        self, held: HeldTask, result: TaskResult, outcome: tasks.Outcome, artifacts: list[Artifact]
    ) -> dict[str, Any]:
        volume = held.volume
        return {
            "job_id": self.job.id,
            "job_name": self.job.name,
            "volume": {"w_id": volume.ref.w_id, "i_id": volume.ref.i_id},
            "worker_id": self.worker_id,
            "task_execution_id": held.claim.task_id,
            "total_images": outcome.total_images,
            "nb_errors": outcome.nb_errors,
            "total_duration_ms": round(outcome.total_duration_ms, 3),
            "avg_duration_per_page_ms": round(outcome.avg_duration_per_page_ms, 3),
            "wall_clock_duration_ms": round(outcome.wall_clock_duration_ms, 3),
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "source": volume.ref.source,
            "version": volume.version,
            "input_etag": volume.etag.hex(),
            "attempt": held.claim.attempt,
            "epoch": held.claim.epoch,
            "job_type": self.job_type.name,
            "plugin_version": self.job_type.version,
            "config": dict(self.job.config),
            "config_revision": self.job.config_revision,
            "errors_by_stage": dict(outcome.errors_by_stage or {}),
            "stage_ms": {name: round(value, 3) for name, value in result.stage_ms.items()},
            "artifacts": [attrs.asdict(artifact) for artifact in artifacts],
            "details": dict(result.details),
        }

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


def outcome_of_marker(marker: Mapping[str, Any]) -> tasks.Outcome:
    """The figures of a marker, of whatever age: what it does not say is zero."""

    def number(key: str) -> float:
        value = marker.get(key)
        return float(value) if isinstance(value, (int, float)) else 0.0

    return tasks.Outcome(
        total_images=int(number("total_images")),
        nb_errors=int(number("nb_errors")),
        total_duration_ms=number("total_duration_ms"),
        avg_duration_per_page_ms=number("avg_duration_per_page_ms"),
        wall_clock_duration_ms=number("wall_clock_duration_ms"),
    )
