"""A job's two queues as operators see them: figures, a look inside, emptying, moving messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.db import ledger, requeue, volumes
from bec_core.errors import InvalidMessage, QueueUnavailable
from bec_core.models import (
    Job,
    Message,
    OutgoingMessage,
    QueueStats,
    VolumeRef,
    decode_message,
    encode_message,
)
from bec_core.queues import TaskQueue

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


def peek(session: Session, url: str, limit: int) -> list[PeekedMessage]:
    """Up to ``limit`` messages that wait in a queue."""
    return [_peeked(message) for message in session.queue(url).peek(limit)]


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
    session.queue(job.dlq_url if dead_letters else job.queue_url).purge()
    if dead_letters:
        return 0
    with session.database.connection() as connection:
        return ledger.forget_waiting(connection, job.id)


def move_messages(
    session: Session,
    source_url: str,
    dest_url: str,
    *,
    limit: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Move messages from one queue to the other, up to ``limit``; returns how many.

    Each goes into the other queue before it leaves the first, so a crash in between leaves it in both:
    the worker finds the second one done. What was added when a message was set aside is taken off again;
    the ledger of the job whose queue ``dest_url`` is says that its volumes wait again.
    """
    source, dest = session.queue(source_url), session.queue(dest_url)
    with session.database.connection() as connection:
        job_ids = requeue.jobs_of_queue(connection, dest_url)
    moved = 0
    while limit is None or moved < limit:
        wanted = _BATCH if limit is None else min(_BATCH, limit - moved)
        messages = source.receive(limit=wanted, wait_s=0, visibility_s=_HIDDEN_S)
        if not messages:
            break
        refs = list(dict.fromkeys(ref for ref in map(_volume_of, messages) if ref))
        _note(session, job_ids, refs)
        failures = dest.send([_renewed(message) for message in messages])
        failed = {failure.index for failure in failures}
        for index, message in enumerate(messages):
            if index in failed:
                source.extend(message, 0)
            else:
                source.delete(message)
                moved += 1
        if failures:
            raise QueueUnavailable(
                f"{dest_url} refused a message after {moved} were moved: {failures[0].reason}; the rest stays in place"
            )
        progress(moved)
    return moved


def _renewed(message: Message) -> OutgoingMessage:
    """The message as it was before it was set aside."""
    added = ("error_", "failed_at")
    kept = {name: value for name, value in message.attributes.items() if not name.startswith(added)}
    return OutgoingMessage(message.body, kept)


def _note(session: Session, job_ids: list[int], refs: list[VolumeRef]) -> None:
    if not job_ids or not refs:
        return
    with session.database.connection() as connection:
        ids = volumes.upsert_refs(connection, refs)
        for job_id in job_ids:
            ledger.request(connection, job_id, list(zip(ids, refs, strict=True)))
            ledger.mark_sent(connection, job_id, ids)
            requeue.free(connection, job_id, ids)


def start_move_task(
    session: Session, source_url: str, dest_url: str, *, per_second: int | None = None
) -> str:
    """Let SQS itself move everything (it can't choose, and moves up to 500 a second); returns the task's handle.

    Raises:
        SettingsError: a queue is not SQS's.
        QueueUnavailable: SQS refused.
    """
    from bec_core.queues.sqs_move import start_move_task as start

    return start(session.sqs, source_url, dest_url, per_second=per_second)


def send_again(queue: TaskQueue, refs: list[VolumeRef]) -> dict[int, str]:
    """Send the messages that ask for ``refs``; index and reason of those that were refused."""
    return {failure.index: failure.reason for failure in queue.send([encode_message(ref) for ref in refs])}
