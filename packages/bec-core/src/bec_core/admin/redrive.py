"""Queueing failed tasks again, chosen by what the database says of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from bec_core.admin.queues import send_again
from bec_core.admin.session import Session
from bec_core.db import ledger, requeue
from bec_core.db.requeue import FailedVolume
from bec_core.errors import ConflictError, InvalidMessage
from bec_core.models import Job, JobStatus, Message, TaskStatus, VolumeRef, decode_message

_CHUNK = 2000
_BATCH = 10
_HIDDEN_S = 120.0


@frozen
class Choice:
    """Which failed tasks: all that fit every condition given."""

    statuses: tuple[TaskStatus, ...] = (TaskStatus.TERMINAL_FAILED,)
    error_type: str | None = None
    stage: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None
    sample: int | None = None


@frozen
class Redriven:
    """What was queued again, what the queue refused, and how many dead letters went with it."""

    sent: tuple[VolumeRef, ...]
    refused: tuple[tuple[VolumeRef, str], ...]
    dead_letters_removed: int


def choose(session: Session, job: Job, choice: Choice) -> list[FailedVolume]:
    """The volumes whose latest task failed and fits."""
    with session.database.connection() as connection:
        return requeue.failed_volumes(
            connection,
            job.id,
            statuses=choice.statuses,
            error_type=choice.error_type,
            stage=choice.stage,
            fingerprint=choice.fingerprint,
            since=choice.since,
            sample=choice.sample,
        )


def redrive(session: Session, job: Job, chosen: Sequence[FailedVolume]) -> Redriven:
    """Queue these volumes again, with no failures counted, and take their dead letters away.

    The ledger says first that they wait, then they are sent, then the dead letters go: a crash in between
    leaves at worst a message twice, and the worker finds the second one done.

    Raises:
        ConflictError: the job is cancelled.
    """
    if job.status is JobStatus.CANCELLED:
        raise ConflictError(f"job {job.name} is cancelled; to go on with it: bec jobs resume {job.name}")
    queue = session.queue(job.queue_url)
    sent: list[VolumeRef] = []
    refused: list[tuple[VolumeRef, str]] = []
    with session.database.connection() as lock, ledger.enqueueing(lock, job.id):
        for start in range(0, len(chosen), _CHUNK):
            part = chosen[start : start + _CHUNK]
            with session.database.connection() as connection:
                ledger.request(connection, job.id, [(one.volume_id, one.ref) for one in part])
                requeue.free(connection, job.id, [one.volume_id for one in part])
            failed = send_again(queue, [one.ref for one in part])
            delivered = [one for n, one in enumerate(part) if n not in failed]
            with session.database.connection() as connection:
                ledger.mark_sent(connection, job.id, [one.volume_id for one in delivered])
            sent += [one.ref for one in delivered]
            refused += [(part[n].ref, reason) for n, reason in failed.items()]
    return Redriven(tuple(sent), tuple(refused), _remove_dead_letters(session, job, frozenset(sent)))


def _remove_dead_letters(session: Session, job: Job, refs: frozenset[VolumeRef]) -> int:
    """Delete the dead letters of these volumes; the others are hidden while we look, and shown again."""
    dead_letters = session.queue(job.dlq_url)
    others: list[Message] = []
    removed = 0
    try:
        while refs and (batch := dead_letters.receive(limit=_BATCH, wait_s=0, visibility_s=_HIDDEN_S)):
            for message in batch:
                if _asks_for(message, refs):
                    removed += dead_letters.delete(message)
                else:
                    others.append(message)
    finally:
        for message in others:
            dead_letters.extend(message, 0)
    return removed


def _asks_for(message: Message, refs: frozenset[VolumeRef]) -> bool:
    try:
        return decode_message(message) in refs
    except InvalidMessage:
        return False
