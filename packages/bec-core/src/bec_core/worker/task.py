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
from bec_core.db import jobs, tasks, volumes
from bec_core.errors import (
    InvalidMessage,
    LeaseLost,
    NotFoundError,
    ObjectNotFound,
    PagesMayPass,
    RetryableTaskError,
    ServiceError,
    TaskError,
    TaskStopped,
    TooManyDeliveries,
    TooManyPageErrors,
    VolumeEmpty,
)
from bec_core.job import JobType, JobWorker
from bec_core.models import (
    Message,
    TaskResult,
    TaskStatus,
    Volume,
    decode_message,
)
from bec_core.storage import Store
from bec_core.worker.context import RunningTask
from bec_core.worker.endings import TaskEndings
from bec_core.worker.lease import HeldTask, LeaseKeeper
from bec_core.worker.marker import marker_content, outcome_of
from bec_core.worker.observer import Step
from bec_core.worker.publish import TaskFolder, write_artifacts, write_marker

_BEYOND_HOPE = 2  # deliveries after the last one: not even resolving the volume survives


@frozen(kw_only=True)
class TaskRunner(TaskEndings):
    """Processes messages of one job; shared by the worker's slots. ``process`` is thread-safe."""

    job_type: JobType
    job_worker: JobWorker = field(repr=False)
    config: Any
    sources: Sources = field(repr=False)
    store: Store = field(repr=False)
    keeper: LeaseKeeper = field(repr=False)

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
