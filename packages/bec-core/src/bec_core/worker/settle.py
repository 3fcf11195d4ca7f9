"""Writing down how an attempt ended, in the one order: row and ledger, dead letter, parts, message, event.

A crash between two of these is repaired by the message's next delivery. What is not ours any more is not written:
every statement says the epoch, and an ending whose epoch is stale becomes :class:`~bec_core.worker.ending.Left`.
"""

from __future__ import annotations

import attrs
from loguru import logger

from bec_core.artifacts import remember
from bec_core.db import blocking, ledger, left, tasks, volumes
from bec_core.db.blocking import Released
from bec_core.db.pool import Connection
from bec_core.db.tasks import Outcome
from bec_core.errors import JobGone, RuntimeFault, ServiceError, StorageError
from bec_core.models import Message, VolumeRef
from bec_core.observer import Step, TaskFigures
from bec_core.queues.letters import remove_letters
from bec_core.queues.release import send_released
from bec_core.worker.dead_letters import letter
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
from bec_core.worker.failures import describe
from bec_core.worker.hold import HeldTask
from bec_core.worker.inputs import tell_unlisted
from bec_core.worker.workplace import Workplace

FAULTS_OF_ONE = 3
"""So often may one volume meet a fault of ours, while others succeed, before it alone is set aside."""

TROUBLES_OF_ONE = 10
"""The same for services in trouble: what they refuse for one volume alone will not pass."""


def settle(place: Workplace, message: Message, ending: Ending) -> Ending:
    """Write an ending; returns what was written, which is another one if the task turned out not to be ours.

    Raises:
        ServiceError: a service did not do its part; the message comes again and finds what is missing.
        JobGone: the job was deleted; nothing was touched.
    """
    ending, released = _row_and_ledger(place, message, ending)
    _release(place, ending, released)
    _dead_letter(place, message, ending)
    _remove_parts(place, ending)
    _message(place, message, ending)
    _event(place, ending)
    return ending


# -- row and ledger -----------------------------------------------------------------------------------------


def _row_and_ledger(
    place: Workplace, message: Message, ending: Ending
) -> tuple[Ending, tuple[Released, ...]]:
    """Write row and ledger; the ending as it was written, and what other jobs can do now."""
    if isinstance(ending, Left):
        return ending, ()
    if isinstance(ending, HandedBack) and ending.held is None and not _is_ours(place, message, ending):
        return Left("its delivery was over before it was handed back"), ()
    released: tuple[Released, ...] = ()
    with place.database.connection() as connection:
        match ending:
            case Done():
                ours, released = _finish(place, connection, ending)
                step = Step.ROW_WRITTEN
            case Retry():
                ours = tasks.fail(
                    connection,
                    ending.held.claim,
                    ending.failure,
                    terminal=False,
                    retry_s=ending.wait_s,
                    outcome=ending.outcome,
                    page_errors=ending.page_errors,
                )
                step = Step.FAILURE_WRITTEN
            case Failed():
                ours = _fail_for_good(place, connection, ending)
                step = Step.FAILURE_WRITTEN
            case AlreadyDone():
                return ending, _say_done(place, connection, ending)
            case Blocked():
                ending = _block(place, connection, ending)
                ours, step = True, Step.BLOCKED_WRITTEN
            case SetAside():
                _answer_set_aside(place, connection, ending)
                return ending, ()
            case HandedBack():
                return _give_back(place, connection, ending), ()
            case OurFault():
                return _fault(place, connection, message, ending), ()
    if not ours:
        return Left("the task was taken over before its end was recorded"), ()
    place.watchers.step(step)
    return ending, released


def _is_ours(place: Workplace, message: Message, ending: HandedBack) -> bool:
    """Whether a message without a claim is still ours: another may have done its volume while this process slept."""
    return place.services.queue.extend(message, ending.wait_s)


def _finish(place: Workplace, connection: Connection, ending: Done) -> tuple[bool, tuple[Released, ...]]:
    """Say done; in the same transaction, what was blocked on it is released."""
    is_read = blocking.before_finishing(connection, place.job.id)
    lineage = [
        {"input": one.input, "job": one.job, "artifact": one.artifact, "sha256": one.sha256}
        for one in ending.read
    ]
    volume_id = tasks.finish(
        connection,
        ending.held.claim,
        ending.outcome,
        recipe=ending.recipe,
        contents=tasks.Contents(ending.artifacts, lineage),
        wait=not place.services.queue.beside_rows,
    )
    if volume_id is None:
        return False, ()
    return True, tuple(blocking.finished(connection, place.job.id, volume_id)) if is_read else ()


def _block(place: Workplace, connection: Connection, ending: Blocked) -> Blocked | Left:
    """Say that it is blocked, unless its inputs were done since we looked."""
    blocking.entering(connection, place.job.id)
    volume = ending.volume
    volume_id = volumes.upsert(connection, volume)
    if left.job_status(connection, place.job.id) is None:
        raise JobGone(f"job {place.job.name} was deleted")
    if blocking.block_found(connection, place.job.id, volume_id, volume.ref, volume.etag):
        return ending
    return Left("its inputs were done meanwhile", 0.0, volume)


def _fail_for_good(place: Workplace, connection: Connection, ending: Failed) -> bool:
    if ending.held is None:
        tasks.fail_unclaimed(
            connection,
            job_id=place.job.id,
            volume_id=volumes.upsert_ref(connection, ending.ref),
            worker_id=place.worker_id,
            failure=ending.failure,
            config_revision=place.job.config_revision,
        )
        return True
    return tasks.fail(
        connection,
        ending.held.claim,
        ending.failure,
        terminal=True,
        outcome=ending.outcome,
        page_errors=ending.page_errors,
    )


def _say_done(place: Workplace, connection: Connection, ending: AlreadyDone) -> tuple[Released, ...]:
    job_id = place.job.id
    if ending.by is not None:
        ledger.set_state(connection, job_id, ending.volume_id, "done", f"done by job {ending.by}", answered=0)
        logger.info("done by job {}, which has its results under the same prefix", ending.by)
        return ()
    remembered = remember(
        connection,
        ending.marker,
        job_id=job_id,
        volume_id=ending.volume_id,
        etag=ending.volume.etag,
        version=ending.volume.version,
        root=place.job.artifact_root,
    )
    logger.info("already done{}", "; its row was made to say so" if remembered.repaired else "")
    return remembered.released


def _answer_set_aside(place: Workplace, connection: Connection, ending: SetAside) -> None:
    """Nothing is set aside for a job that is gone: its queue may be another job's by now."""
    if left.job_status(connection, place.job.id) is None:
        raise JobGone(f"job {place.job.name} was deleted")
    if ending.ref is not None:
        volume_id = volumes.upsert_ref(connection, ending.ref)
        ledger.fail_waiting(connection, place.job.id, volume_id, ending.failure.reason)


def _give_back(place: Workplace, connection: Connection, ending: HandedBack) -> Ending:
    """Release the lease, uncounted. What the store refuses for one volume alone, again and again, is set aside."""
    held = ending.held
    if held is not None and not _release_lease(connection, held, ending):
        return Left("the task was taken over before it was handed back")
    if ending.ref is None or not isinstance(ending.trouble, StorageError):
        return ending
    return _count(
        place,
        connection,
        ending,
        ending.ref,
        held,
        ending.failure,
        wait_s=ending.wait_s,
        most=TROUBLES_OF_ONE,
    )


def _release_lease(connection: Connection, held: HeldTask, ending: HandedBack) -> bool:
    """A stop is no error and leaves none; trouble outside stands in the row until the next attempt."""
    if ending.trouble is None:
        return tasks.hand_back(connection, held.claim)
    return tasks.fail(
        connection, held.claim, ending.failure, terminal=False, counts=False, retry_s=ending.wait_s
    )


def _fault(place: Workplace, connection: Connection, message: Message, ending: OurFault) -> Ending:
    """Release the lease, and count the fault in the volume's row."""
    if ending.ref is None:
        return ending
    failure = fault_of(ending)
    wait_s = place.options.backoff_s(message.receive_count)
    if ending.held is not None and not tasks.fail(
        connection, ending.held.claim, failure, terminal=False, counts=False, retry_s=wait_s
    ):
        return Left("the task was taken over meanwhile")
    return _count(
        place, connection, ending, ending.ref, ending.held, failure, wait_s=wait_s, most=FAULTS_OF_ONE
    )


def _count(
    place: Workplace,
    connection: Connection,
    ending: Ending,
    ref: VolumeRef,
    held: HeldTask | None,
    failure: tasks.Failure,
    *,
    wait_s: float,
    most: int,
) -> Ending:
    """Count what is not the volume's fault; if it alone meets it ``most`` times while others succeed, set it aside."""
    volume_id = volumes.upsert_ref(connection, ref)
    etag = held.volume.etag if held else None
    faults = tasks.note_fault(
        connection,
        job_id=place.job.id,
        volume_id=volume_id,
        etag=etag,
        worker_id=place.worker_id,
        failure=failure,
        config_revision=place.job.config_revision,
        wait_s=wait_s,
    )
    if faults.count < most or not faults.others_succeed:
        return ending
    failure = attrs.evolve(failure, error_type=RuntimeFault.__name__)
    tasks.set_aside(connection, job_id=place.job.id, volume_id=volume_id, etag=etag, failure=failure)
    logger.error("it alone meets this, {} times now, while others succeed: set aside", faults.count)
    return SetAside(failure, ref)


def fault_in_settling(attempted: Ending, error: Exception) -> OurFault:
    """The end of an attempt whose end could not be written for a fault of ours."""
    held = None if isinstance(attempted, (AlreadyDone, Left, Blocked, SetAside)) else attempted.held
    if held is not None:
        ref: VolumeRef | None = held.volume.ref
    elif isinstance(attempted, (AlreadyDone, Left, Blocked)):
        ref = attempted.volume.ref if attempted.volume else None
    else:
        ref = None if isinstance(attempted, Done | Retry) else attempted.ref
    return OurFault(error, ref, held, "settle")


def fault_of(ending: OurFault) -> tasks.Failure:
    """The fault as a row and a dead letter keep it: told apart from every failure of a job by its type."""
    found = describe(ending.error, stage=ending.stage)
    return attrs.evolve(
        found, error_type=RuntimeFault.__name__, message=f"{found.error_type}: {found.message}"
    )


# -- released, dead letter, message, event ------------------------------------------------------------------


def _release(place: Workplace, ending: Ending, released: tuple[Released, ...]) -> None:
    """Send the messages of what other jobs can do now. What fails here is left to their sweep."""
    if isinstance(ending, Done):
        tell_unlisted(place.database, ending.read, volume=ending.held.volume)
    if released:
        sent = send_released(place.database, place.services.open_queue, released)
        logger.info("released {} volume(s) of jobs that read this one", sent)
        place.watchers.step(Step.RELEASED)


def _dead_letter(place: Workplace, message: Message, ending: Ending) -> None:
    if isinstance(ending, AlreadyDone) and ending.failed_before:
        removed = remove_letters(place.services.dead_letters, [ending.volume.ref])
        logger.info("it had been given up before its marker appeared; {} dead letters removed", removed)
    if not isinstance(ending, (Failed, SetAside)):
        return
    refused = place.services.dead_letters.send([letter(message, ending.failure)])
    if refused:
        raise ServiceError(f"the dead-letter queue refused message {message.id}: {refused[0].reason}")
    place.watchers.step(Step.DEAD_LETTERED)


def _remove_parts(place: Workplace, ending: Ending) -> None:
    """What is done, or failed for good, needs its kept pages no more. What can't be removed is left to an audit."""
    match ending:
        case Done(held=held) | Failed(held=HeldTask() as held):
            volume = held.volume
            if held.parts is not None:
                held.parts.drop()
        case AlreadyDone(volume=volume, by=None):
            pass
        case _:
            return
    try:
        if place.parts_of(volume).remove():
            place.watchers.step(Step.PARTS_REMOVED)
    except StorageError as error:
        logger.warning("kept pages of {} are left, for bec audit to remove: {}", volume.ref, error)


def _message(place: Workplace, message: Message, ending: Ending) -> None:
    queue = place.services.queue
    match ending:
        case Done() | AlreadyDone() | Failed() | SetAside() | Blocked():
            queue.delete(message)
            place.watchers.step(Step.MESSAGE_DELETED)
        case Left(wait_s=None):
            pass
        case Retry(wait_s=wait_s) | HandedBack(wait_s=wait_s) | Left(wait_s=wait_s):
            queue.extend(message, wait_s or 0.0)
        case OurFault():
            queue.extend(message, place.options.backoff_s(message.receive_count))


def _event(place: Workplace, ending: Ending) -> None:
    match ending:
        case (
            Done(held=held, outcome=measured)
            | Retry(held=held, outcome=measured)
            | Failed(held=held, outcome=measured)
        ) if held is not None and measured is not None:
            place.watchers.task_measured(held.volume, _figures(measured))
        case _:
            pass
    match ending:
        case Done(held=held, outcome=outcome):
            logger.info(
                "done: {} pages, {} failed, {:.1f} s ({:.1f} pages/s)",
                outcome.total_images,
                outcome.nb_errors,
                outcome.wall_clock_duration_ms / 1000,
                1000 * outcome.total_images / max(1.0, outcome.wall_clock_duration_ms),
            )
            place.watchers.task_finished(held.volume, ending.name)
        case AlreadyDone(volume=volume):
            place.watchers.task_finished(volume, ending.name)
        case Retry(held=held) | Failed(held=held) | HandedBack(held=held) if held is not None:
            place.watchers.task_finished(held.volume, ending.name, ending.failure.reason)
        case Failed():
            logger.error("{}: {}", ending.name, ending.failure.reason)
        case Left(volume=volume) | Blocked(volume=volume) if volume is not None:
            place.watchers.task_finished(volume, ending.name, ending.why)
        case OurFault(held=held) if held is not None:
            place.watchers.task_finished(held.volume, ending.name, str(ending.error))


def _figures(outcome: Outcome) -> TaskFigures:
    return TaskFigures(
        pages=outcome.total_images,
        pages_failed=outcome.nb_errors,
        wall_clock_ms=outcome.wall_clock_duration_ms,
        stage_ms=outcome.stage_ms or {},
        errors_by_stage=outcome.errors_by_stage or {},
    )


def cancelled(job_name: str, ref: VolumeRef | None) -> SetAside:
    """The end of a message of a job that was cancelled."""
    failure = describe(ServiceError(f"the job {job_name} is cancelled"), stage="receive")
    return SetAside(failure, ref)
