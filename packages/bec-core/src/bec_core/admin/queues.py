"""A job's two queues as operators see them: figures, a look inside, emptying, moving messages."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from attrs import frozen

from bec_core.admin.actions import record
from bec_core.admin.session import Session
from bec_core.db import canary, ledger
from bec_core.db.ledger import AskedVolume
from bec_core.db.locks import ENQUEUEING, only_one
from bec_core.errors import InvalidMessage
from bec_core.models import (
    Job,
    Message,
    QueueStats,
    VolumeRef,
    decode_message,
)

_BATCH = 10
_HIDDEN_S = 60.0  # a message under way from one queue to the other is hidden for so long


@frozen
class PeekedMessage:
    """A waiting message; ``volume`` is None if it names none, ``reason`` why it was set aside."""

    id: str
    volume: str | None
    body: str
    attributes: dict[str, str]
    enqueued_at: datetime | None
    receive_count: int
    reason: str | None


def queue_stats(session: Session, job: Job) -> tuple[QueueStats, QueueStats]:
    """The figures of the job's queue and of its dead-letter queue."""
    return session.queue(job.queue_url).stats(), session.queue(job.dlq_url).stats()


def peek(session: Session, url: str, limit: int, *, receive: bool = False) -> list[PeekedMessage] | None:
    """Up to ``limit`` messages that wait in a queue.

    None: this queue (SQS) shows a message only by delivering it, which counts towards its limit; with
    ``receive`` it does so. What waits by the ledger: :func:`asked`.
    """
    found = session.queue(url).peek(limit, receive=receive)
    return None if found is None else [_peeked(message) for message in found]


def asked(session: Session, job: Job, state: Literal["waiting", "failed"], limit: int) -> list[AskedVolume]:
    """Up to ``limit`` volumes that the job's ledger has in this state, those longest in it first."""
    with session.database.connection() as connection:
        return ledger.in_state(connection, job.id, state, limit)


def _peeked(message: Message) -> PeekedMessage:
    ref = _volume_of(message)
    kind, text = message.attributes.get("error_type"), message.attributes.get("error_message", "")
    return PeekedMessage(
        id=message.id,
        volume=str(ref) if ref else None,
        body=message.body,
        attributes=dict(message.attributes),
        enqueued_at=message.enqueued_at,
        receive_count=message.receive_count,
        reason=f"{kind}: {text}" if kind else None,
    )


def _volume_of(message: Message) -> VolumeRef | None:
    try:
        return decode_message(message)
    except InvalidMessage:
        return None


def purge(session: Session, job: Job, *, dead_letters: bool = False) -> int:
    """Delete every message of the job's queue (or dead-letter queue).

    The ledger forgets what waited in the queue, except for what is being worked on; returns how many
    entries that were.
    """
    if dead_letters:
        dead = session.queue(job.dlq_url)
        figures = dead.stats()
        dead.purge()
        with session.database.connection() as connection:
            number = figures.available + figures.in_flight + figures.delayed
            record(session, connection, job, "purge", number, dead_letters=True)
        return 0
    what = f"emptying the queue of job {job.name}"
    with only_one(session.database, (ENQUEUEING, job.id), what) as held:
        session.queue(job.queue_url).purge()
        with session.database.connection() as connection:
            held.confirm(connection)
            forgotten = ledger.forget_waiting(connection, job.id)
            canary.forget(connection, job.id)
            record(session, connection, job, "purge", forgotten)
            return forgotten
