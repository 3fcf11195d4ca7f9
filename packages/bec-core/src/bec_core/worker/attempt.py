"""An attempt: from a message in hand to the value that says how it ended.

The steps stand in :meth:`Attempt.steps`, in their order; the first that has nothing more to do returns. What is written
of the end is :mod:`~bec_core.worker.settle`'s. A crash between any two steps is repaired by the message's next
delivery: artifacts are replaced, a marker without a row makes the row.

Whose fault it is, is told apart here: what comes out of the job's ``run`` is the job's; a service in trouble is
nobody's, and the task is given back; anything else that nobody foresaw is ours.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from loguru import logger

from bec_core.artifacts import Marker, ReadyInput, TaskFolder, intact, owner_of, write_artifacts, write_marker
from bec_core.db import ledger, tasks, volumes
from bec_core.errors import (
    InputArtifactMissing,
    InvalidMessage,
    JobGone,
    LeaseLost,
    LostTooOften,
    PagesMayPass,
    RetryableTaskError,
    RuntimeFault,
    ServiceError,
    ShutdownRequested,
    TaskError,
    TaskStalled,
    TaskStopped,
    TooManyPageErrors,
    VolumeEmpty,
)
from bec_core.logs import within
from bec_core.models import Message, TaskResult, TaskStatus, Volume, VolumeRef, decode_message
from bec_core.observer import Step
from bec_core.queues.release import send_released
from bec_core.worker.alone import Gate
from bec_core.worker.context import RunningTask
from bec_core.worker.ending import (
    AlreadyDone,
    Blocked,
    Done,
    Ending,
    Failed,
    HandedBack,
    Left,
    OurFault,
    Retry,
    SetAside,
)
from bec_core.worker.failures import describe, describe_with_pages, is_retryable, page_errors_of
from bec_core.worker.hold import HeldTask
from bec_core.worker.inputs import Found, TaskInputs, Unready, Vanished, changed_input, find
from bec_core.worker.marker import marker_content, outcome_of
from bec_core.worker.parts import TaskParts, identity
from bec_core.worker.turns import Turn
from bec_core.worker.workplace import Workplace

GUARDED_FROM = 5
"""From so many deliveries on, a volume is claimed even before it is resolved."""

_SLACK_S = 1.0  # a message that is left to another worker comes back this long after that one's lease
_AT_HAND_S = 1.0  # what is asked for anew while this process works on it waits no whole lease


class Attempt:
    """One message's way through a worker. Made for one message, and used once."""

    def __init__(self, place: Workplace, gate: Gate, message: Message, turn: Turn) -> None:
        self._place = place
        self._gate = gate
        self._message = message
        self._turn = turn
        self._ref: VolumeRef | None = None
        self._held: HeldTask | None = None
        self._context: RunningTask | None = None
        self._stage = "resolve"
        self._began = time.monotonic()

    def progress(self) -> float:
        """When it was heard of last, in ``time.monotonic()`` seconds."""
        return self._held.last_progress if self._held else self._began

    def told(self) -> str:
        """What it does, in a few words."""
        if self._held is None:
            return f"looking at {self._ref or 'a message'}"
        volume = self._held.volume
        return f"{volume.ref}: {self._held.pages_done} of {len(volume.pages)} pages"

    def run(self) -> Ending:
        """See the message through; never raises an ``Exception``.

        Raises:
            JobGone: the job was deleted; the message is not ours to touch.
        """
        place = self._place
        try:
            self._ref = decode_message(self._message)
        except InvalidMessage as error:
            logger.error("message {} is set aside: {}", self._message.id, error)
            return SetAside(describe(error, stage="receive"))
        with within(volume=str(self._ref)):
            try:
                return self.steps(self._ref)
            except JobGone:
                raise
            except LeaseLost as lost:
                logger.warning("stopped: {}", lost)
                return Left(str(lost), volume=self._held.volume if self._held else None)
            except TaskStalled as stalled:
                assert self._held is not None
                return self._failed(self._held, stalled)
            except TaskStopped as stopped:
                logger.warning("stopped: {}", stopped)
                return HandedBack(describe(stopped, stage=self._stage), self._held)
            except ServiceError as error:
                wait_s = place.options.backoff_s(self._message.receive_count)
                failure = describe(error, stage=self._stage)
                return HandedBack(failure, self._held, wait_s, error, self._ref)
            except Exception as error:  # noqa: BLE001 - whatever nobody foresaw is ours, and said to be
                return OurFault(error, self._ref, self._held, self._stage)

    def steps(self, ref: VolumeRef) -> Ending:
        """The steps of an attempt, one after the other."""
        place, services = self._place, self._place.services
        if place.options.by_ledger:
            with place.database.connection() as connection:
                ledger.enter_received(connection, place.job.id, volumes.upsert_ref(connection, ref), ref)
        guard = self._guard(ref)
        if isinstance(guard, tasks.NotClaimed):
            return self._left(guard, ref)
        try:
            volume = services.sources.resolve(ref)
        except TaskError as error:
            if error.retryable:
                raise ServiceError(str(error)) from error
            return Failed(ref, describe(error, stage="resolve"), error=error)
        finally:
            self._unguard(guard)
        place.watchers.step(Step.RESOLVED)
        place.watchers.message_taken(self._message.id, volume)

        folder = TaskFolder(services.store, place.job.artifact_root, volume)
        marker = folder.marker()
        if marker is not None and (found := self._answered(folder, marker)):
            return found
        found_inputs = self._find_inputs(volume)
        if isinstance(found_inputs, Unready):
            logger.info("blocked: {}", found_inputs.why)
            return Blocked(volume, found_inputs.why)
        claimed = self._claim(volume, even_if_done=marker is not None)
        if isinstance(claimed, tasks.NotClaimed) and claimed.status is TaskStatus.DONE:
            marker = folder.marker()  # it was finished since we looked, or its marker is gone
            if marker is not None and (found := self._answered(folder, marker)):
                return found
            logger.warning("the task's row says done, but no marker stands in {}: doing it again", folder.uri)
            claimed = self._claim(volume, even_if_done=True)
        if isinstance(claimed, tasks.NotClaimed):
            return self._left(claimed, ref, volume)
        place.watchers.step(Step.CLAIMED)

        held = HeldTask(
            claim=claimed,
            message=self._message,
            volume=volume,
            lease_ends=time.monotonic() + place.options.lease_s,
            turn=self._turn,
        )
        self._held = held
        with (
            place.keeper.hold(held),
            within(task=claimed.task_id, attempt=claimed.attempt),
        ):
            if refused := self._refused(held):
                return refused
            if isinstance(found_inputs, Vanished):
                self._stage = "inputs"
                return self._failed(held, RetryableTaskError(found_inputs.why))
            held.parts = self._parts(held, found_inputs)
            task_inputs = TaskInputs({one.bound.name: one for one in found_inputs}, held.stop.set)
            with self._gate.passing(alone=claimed.alone, check=held.stop.check):
                return self._work(held, folder, marker, task_inputs)

    # -- before the claim -----------------------------------------------------------------------------

    def _guard(self, ref: VolumeRef) -> tasks.Claim | tasks.NotClaimed | None:
        """A claim of what was delivered often, before it is even resolved: should that kill us, it is known whose.

        It is a claim of the volume without a version, so what comes often for a good reason costs one row for a moment.
        """
        if self._message.receive_count < GUARDED_FROM:
            return None
        place = self._place
        with place.database.connection() as connection:
            claimed = tasks.claim(
                connection,
                job_id=place.job.id,
                volume_id=volumes.upsert_ref(connection, ref),
                etag=tasks.NO_VERSION,
                version=None,
                worker_id=place.worker_id,
                lease_s=place.options.lease_s,
                config_revision=place.job.config_revision,
                plugin_version=place.loaded.type.version,
                delivery=tasks.Delivery(self._message.id, self._message.receipt),
                asked_at=self._message.enqueued_at,
            )
            if isinstance(claimed, tasks.Claim) and claimed.lost >= tasks.LOST_LIMIT:
                tasks.fail(connection, claimed, describe(_lost(claimed), stage="resolve"), terminal=True)
                return tasks.NotClaimed(
                    TaskStatus.TERMINAL_FAILED, 0.0, describe(_lost(claimed), stage="resolve")
                )
        return claimed

    def _unguard(self, guard: tasks.Claim | None) -> None:
        if guard is not None:
            with self._place.database.connection() as connection:
                tasks.forget(connection, guard)

    def _answered(self, folder: TaskFolder, marker: Marker) -> AlreadyDone | None:
        """The end of an attempt at what is done: an intact marker stands that answers the latest request.

        A marker whose row does not say done is the work of a worker that ended between the two, or that
        slept right before it wrote it: it counts only if what lies there is what it lists.
        """
        place, volume = self._place, folder.volume
        with place.database.connection() as connection:
            volume_id = volumes.upsert(connection, volume)
            standing = tasks.standing(connection, job_id=place.job.id, volume_id=volume_id, etag=volume.etag)
        owner = owner_of(marker, place.job.name) if place.job.shares_prefix else None
        if owner is not None:
            return AlreadyDone(volume, volume_id, marker, by=owner) if standing.asked == 0 else None
        if not marker.answers(standing.asked):
            return None
        recipe = place.loaded.recipe.hash
        if place.options.redo_other_recipes and marker.recipe not in (None, recipe):
            logger.info("done by another recipe ({}): doing it again by {}", marker.recipe, recipe)
            return None
        if place.options.redo_other_recipes and (changed := self._changed_input(folder, marker)):
            logger.info("its input {} is another one by now: doing it again", changed)
            return None
        said = standing.status is TaskStatus.DONE and standing.answers >= standing.asked
        if not said and not intact(folder, marker):
            logger.warning(
                "the marker in {} lists other artifacts than lie there: doing it again", folder.uri
            )
            return None
        failed = standing.status is TaskStatus.TERMINAL_FAILED
        return AlreadyDone(volume, volume_id, marker, failed_before=failed)

    def _changed_input(self, folder: TaskFolder, marker: Marker) -> str | None:
        """The input whose content is not what the marker says that was read; None: none, or it is unknown."""
        place = self._place
        if not place.loaded.type.inputs or marker.lineage is None:
            return None
        found = find(place.database, place.services.store, place.job, place.loaded.type, folder.volume)
        return changed_input(found.ready, marker) if isinstance(found, Found) else None

    def _find_inputs(self, volume: Volume) -> tuple[ReadyInput, ...] | Unready | Vanished:
        """The volume's inputs, all done; for a job without any, none."""
        place = self._place
        if not place.loaded.type.inputs:
            return ()
        found = find(place.database, place.services.store, place.job, place.loaded.type, volume)
        if not isinstance(found, Found):
            return found
        send_released(place.database, place.services.open_queue, found.released)
        return found.ready

    def _claim(self, volume: Volume, *, even_if_done: bool) -> tasks.Claim | tasks.NotClaimed:
        place, message = self._place, self._message
        with place.database.connection() as connection:
            return tasks.claim(
                connection,
                job_id=place.job.id,
                volume_id=volumes.upsert(connection, volume),
                etag=volume.etag,
                version=volume.version,
                worker_id=place.worker_id,
                lease_s=place.options.lease_s,
                config_revision=place.job.config_revision,
                plugin_version=place.loaded.type.version,
                artifact_root=place.job.artifact_root,
                delivery=tasks.Delivery(message.id, message.receipt),
                asked_at=message.enqueued_at,
                even_if_done=even_if_done,
            )

    def _left(
        self, refused: tasks.NotClaimed, ref: VolumeRef, volume: Volume | None = None
    ) -> Left | SetAside:
        if refused.failure is not None:
            logger.info("failed for good before; this message is set aside with that reason")
            return SetAside(refused.failure, ref)
        if refused.worker_id == self._place.worker_id:  # from its claim until its end is written
            logger.info("left: the volume is at hand here, for an earlier message")
            return Left("the volume is at hand here", _AT_HAND_S, volume)
        logger.info("left for {:.0f} s: the task is {}", refused.wait_s, refused.status.value)
        return Left(f"the task is {refused.status.value}", refused.wait_s + _SLACK_S, volume)

    # -- with the claim -------------------------------------------------------------------------------

    def _refused(self, held: HeldTask) -> Ending | None:
        """The end of an attempt that makes no sense although the task is ours."""
        claim, volume, job = held.claim, held.volume, self._place.job
        if claim.config_revision is not None and claim.config_revision > job.config_revision:
            why = ShutdownRequested(
                f"it was asked for with revision {claim.config_revision} of the config;"
                f" this worker has {job.config_revision} and loads the job anew"
            )
            return HandedBack(describe(why, stage="claim"), held, reload=True)
        if claim.lost >= tasks.LOST_LIMIT:
            lost = _lost(claim)
            return Failed(volume.ref, describe(lost, stage="claim"), held, error=lost)
        if not volume.pages:
            empty = VolumeEmpty(f"{volume.ref} at version {volume.version} has not a single page")
            return Failed(volume.ref, describe(empty, stage="resolve"), held, error=empty)
        return None

    def _work(
        self, held: HeldTask, folder: TaskFolder, standing: Marker | None, task_inputs: TaskInputs
    ) -> Ending:
        place, volume = self._place, held.volume
        place.watchers.task_started(volume, held.claim.attempt)
        logger.info("{} pages, version {}", len(volume.pages), volume.version)
        self._context = context = RunningTask(
            config=place.loaded.config,
            held=held,
            basename=folder.basename,
            sources=place.services.sources,
            inputs=task_inputs.volume,
            on_page=lambda done: place.watchers.page_done(volume, done, len(volume.pages)),
            max_page_error_rate=place.loaded.runtime.max_page_error_rate,
            metrics=place.loaded.type.metrics,
            pools=place.pools,
            scratch=place.options.scratch,
            bound={"job": place.job.name, "worker": place.worker_id},
            parts=held.parts,
            on_resumed=lambda pages: self._resumed(held, pages),
            on_all_begun=lambda: None if held.claim.alone else self._turn.pass_on(),
        )
        with ExitStack() as stack:
            if held.parts is not None:
                stack.callback(held.parts.close)  # when the last page at work has ended
            stack.callback(context.release)
            self._stage = "inputs"
            try:
                task_inputs.check_declared()
            except InputArtifactMissing as error:
                return self._failed(held, error)
            self._stage = "run"
            result = self._run_job(held, context)
            if not isinstance(result, TaskResult):
                return result
            place.watchers.step(Step.WORKED)
            self._stage = "publish"
            ending = self._publish(held, folder, standing, context, task_inputs, result)
            if isinstance(ending, Done) and held.parts is not None:
                held.parts.drop()
            return ending

    def _parts(self, held: HeldTask, inputs: tuple[ReadyInput, ...]) -> TaskParts:
        """What is kept of the task's pages, by this attempt and by those before."""
        place, volume, claim = self._place, held.volume, held.claim
        return TaskParts(
            place.parts_of(volume),
            identity(
                volume=volume,
                request=claim.request,
                recipe=place.loaded.recipe.hash,
                plugin_version=place.loaded.type.version,
                inputs=inputs,
            ),
            epoch=claim.epoch,
            etags=lambda: place.services.sources.page_etags(volume),
            confirm=lambda: place.keeper.verify(held),
            written=lambda: place.watchers.step(Step.PART_WRITTEN),
            every_s=place.options.part_every_s,
            scratch=place.options.scratch,
        )

    def _resumed(self, held: HeldTask, pages: int) -> None:
        """The task goes on where an earlier attempt stopped: its row and whoever watches are told."""
        self._place.watchers.task_resumed(held.volume, pages)
        with self._place.database.connection() as connection:
            tasks.note_resumed(connection, held.claim, pages)

    def _run_job(self, held: HeldTask, context: RunningTask) -> TaskResult | Ending:
        """What the job returned, or how its failure ends the attempt. Whatever comes out of ``run`` is the job's."""
        try:
            result: object = self._place.loaded.worker.run(context)
        except (LeaseLost, TaskStalled, ShutdownRequested, ServiceError):
            self._raise_fault(context)
            raise
        except BaseException as error:  # noqa: BLE001 - a job may raise anything, sys.exit() included
            self._raise_fault(context)
            if isinstance(held.stop.reason, TaskStopped):  # what a job says when it is stopped is no failure
                held.stop.check()
            return self._failed(held, error)
        self._raise_fault(context)
        if not held.claim.alone:
            self._turn.end()
        try:
            held.stop.check()
        except TooManyPageErrors as error:
            return self._failed(held, error)
        if not isinstance(result, TaskResult):
            return self._failed(
                held,
                TypeError(f"{self._place.loaded.type.name}'s run returned {result!r:.200}, not a TaskResult"),
            )
        if may_pass := self._pages_that_may_pass(held, context):
            return self._failed(held, may_pass)
        try:
            return context.complete(result)
        except ValueError as error:
            return self._failed(held, error)

    def _raise_fault(self, context: RunningTask) -> None:
        if context.fault is not None:
            raise RuntimeFault(str(context.fault)) from context.fault.__cause__

    def _pages_that_may_pass(self, held: HeldTask, context: RunningTask) -> PagesMayPass | None:
        """Pages failed for a reason that may pass, and this is not the task's last attempt."""
        may_pass = [failure for failure in context.failures if failure.retryable]
        if not may_pass or held.claim.failures + 1 >= self._place.loaded.runtime.max_attempts:
            return None
        return PagesMayPass(
            f"{len(may_pass)} of {len(held.volume.pages)} pages failed for a reason that may pass"
        )

    def _failed(self, held: HeldTask, error: BaseException) -> Retry | Failed:
        """The job or the volume failed: once more, or for good."""
        place = self._place
        context = self._context
        failure = describe_with_pages(error, context.failures if context else (), stage=self._stage)
        failures = held.claim.failures + 1
        most = place.loaded.runtime.max_attempts
        outcome = outcome_of(held, context, context.timed_result(TaskResult())) if context else None
        page_errors = page_errors_of(context.failures) if context else ()
        terminal = not is_retryable(error) or failures >= most
        logger.opt(exception=error).error(
            "{} (failure {} of {}): {}",
            (Failed if terminal else Retry).name,
            failures,
            most,
            failure.reason,
        )
        if terminal:
            return Failed(held.volume.ref, failure, held, outcome, page_errors, error)
        wait_s = place.options.backoff_s(failures)
        return Retry(held, failure, wait_s, outcome, page_errors, error)

    def _publish(
        self,
        held: HeldTask,
        folder: TaskFolder,
        standing: Marker | None,
        context: RunningTask,
        task_inputs: TaskInputs,
        result: TaskResult,
    ) -> Ending:
        """Write the artifacts, then the marker: create-only, or in place of the one that stood at the claim."""
        place, keeper, watchers = self._place, self._place.keeper, self._place.watchers
        now = folder.marker()
        if now is not None and (standing is None or now.etag != standing.etag):
            # our predecessor's last write came through after all, or a later one's
            if found := self._answered(folder, now):
                return found
            standing = now
        files = context.files()
        if context.errors_name not in files and folder.exists(context.errors_name):
            # an earlier attempt left it; a swap can't harm a successor, a delete could
            files[context.errors_name] = b""
        artifacts = write_artifacts(
            folder,
            files,
            confirm=lambda: keeper.verify(held),
            written=lambda: watchers.step(Step.ARTIFACT_WRITTEN),
        )
        watchers.step(Step.ARTIFACTS_WRITTEN)
        outcome = outcome_of(held, context, result)
        recipe = place.loaded.recipe
        read = task_inputs.read
        task_inputs.check_unchanged()
        content = marker_content(
            place.job, place.loaded.type, recipe, place.worker_id, held, result, outcome, artifacts, read
        )
        write_marker(folder, content, standing=standing, confirm=lambda: keeper.verify(held))
        watchers.step(Step.MARKER_WRITTEN)
        return Done(held, outcome, recipe.hash, {one.name: one.sha256 for one in artifacts}, read)


def _lost(claim: tasks.Claim) -> LostTooOften:
    return LostTooOften(
        f"{claim.lost} leases ran out in the middle of it, and no attempt got further than the ones before:"
        " it may be what ends its workers (memory?)"
    )
