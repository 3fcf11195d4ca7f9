"""Asking again for what failed, with nothing counted against it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from bec_core.admin.actions import record
from bec_core.admin.entering import CHUNK, has_feeder, only_one_asks, refuse_cancelled
from bec_core.admin.session import Session
from bec_core.db import blocking, ledger, requeue
from bec_core.db.requeue import FailedVolume as FailedVolume
from bec_core.models import Job, TaskStatus, VolumeRef
from bec_core.queues.letters import remove_letters
from bec_core.queues.sending import hand_over

_UNKNOWN_FOLDER = (
    "it lies in a folder that nothing names any more; bec queue enqueue --source file:///… --volume …"
)


@frozen
class Choice:
    """Which failed tasks: all that fit every condition given; ``runtime_faults``: set aside for faults of ours."""

    statuses: tuple[TaskStatus, ...] = (TaskStatus.TERMINAL_FAILED,)
    error_type: str | None = None
    stage: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None
    sample: int | None = None
    runtime_faults: bool = False


@frozen
class Redriven:
    """What was queued again, what was refused, waits already or is blocked; how many dead letters were taken away."""

    sent: tuple[VolumeRef, ...]
    refused: tuple[tuple[VolumeRef, str], ...]
    dead_letters_removed: int
    waiting: tuple[VolumeRef, ...] = ()
    blocked: tuple[VolumeRef, ...] = ()
    for_feeder: tuple[VolumeRef, ...] = ()


def choose(session: Session, job: Job, choice: Choice) -> list[FailedVolume]:
    """The volumes whose latest task failed and fits."""
    with session.database.connection() as connection:
        return requeue.failed_volumes(
            connection,
            job.id,
            statuses=choice.statuses,
            error_type="RuntimeFault" if choice.runtime_faults else choice.error_type,
            stage=choice.stage,
            fingerprint=choice.fingerprint,
            since=choice.since,
            sample=choice.sample,
        )


def redrive(session: Session, job: Job, chosen: Sequence[FailedVolume]) -> Redriven:
    """Queue these volumes again, with nothing counted against them, and take their dead letters away.

    The ledger says first that they wait, then the dead letters go, then the messages come: a crash in between is
    mended by the ledger, and a volume that fails again at once keeps its new letter. What waits already is set free
    and sent no second message.

    Raises:
        ConflictError: the job is cancelled.
    """
    refuse_cancelled(job)
    fed = has_feeder(session, job)
    sent, for_feeder = list[VolumeRef](), list[VolumeRef]()
    refused = [(one.ref, _UNKNOWN_FOLDER) for one in chosen if not one.source_known]
    wanted = [one for one in chosen if one.source_known]
    with only_one_asks(session, job) as held:
        with session.database.connection() as connection:
            held.confirm(connection)
            has_inputs = blocking.entering(connection, job.id)
            awaited = ledger.awaited(connection, job.id, [one.volume_id for one in wanted])
            again = [(one.volume_id, one.ref) for one in wanted if one.volume_id not in awaited]
            ledger.request(connection, job.id, again)
            requeue.free(connection, job.id, [one.volume_id for one in wanted])
            blocked = (
                blocking.block(connection, job.id, [one for one, _ in again]) if has_inputs else set[int]()
            )
            blocked_refs = tuple(ref for one, ref in again if one in blocked)
            again = [entry for entry in again if entry[0] not in blocked]
        removed = remove_letters(session.queue(job.dlq_url), [ref for _, ref in again])
        if fed:
            for_feeder += [ref for _, ref in again]
            again = []
        for start in range(0, len(again), CHUNK):
            part = again[start : start + CHUNK]
            failed = hand_over(session.database, session.queue(job.queue_url), job.id, part, held)
            sent += [ref for n, (_, ref) in enumerate(part) if n not in failed]
            refused += [(part[n][1], reason) for n, reason in failed.items()]
        with session.database.connection() as connection:
            record(
                session, connection, job, "redrive", len(sent) + len(for_feeder), dead_letters_removed=removed
            )
    waiting = tuple(one.ref for one in wanted if one.volume_id in awaited)
    return Redriven(tuple(sent), tuple(refused), removed, waiting, blocked_refs, tuple(for_feeder))
