"""Handing to the queue what the ledger asks for: when it is asked, and again when its message is gone.

A queue can lose a message that nobody dealt with (SQS sets it aside at its own limit, or lets it expire), and a
crash can come between the ledger and the queue. What is left is told by the ledger, never by what a queue gives.
"""

from __future__ import annotations

from collections.abc import Sequence

from loguru import logger

from bec_core.db import Database, ledger
from bec_core.db.locks import ENQUEUEING, Held, if_free
from bec_core.errors import InvalidMessage
from bec_core.models import Job, JobStatus, VolumeRef, decode_message, encode_message
from bec_core.queues.base import TaskQueue
from bec_core.queues.postgres import PostgresQueue

_CHUNK = 2000
_SETTLED_S = 120.0  # SQS's figures lag by up to a minute, and the clocks of two machines may differ


def hand_over(
    database: Database, queue: TaskQueue, job_id: int, asked: Sequence[tuple[int, VolumeRef]], held: Held
) -> dict[int, str]:
    """Send the messages of entries that wait and say so in the ledger; index and reason of what was refused.

    Raises:
        ConflictError: the lock on asking was lost meanwhile; what was sent is sent once more by whoever asks next.
    """
    failed = {f.index: f.reason for f in queue.send([encode_message(ref) for _, ref in asked])}
    with database.connection() as connection:
        held.confirm(connection)
        ledger.mark_sent(connection, job_id, [one for n, (one, _) in enumerate(asked) if n not in failed])
    return failed


def sweep(database: Database, queue: TaskQueue, job: Job, *, queue_was_empty: bool) -> int:
    """Send again what waits in the ledger and is due, but whose message is gone; returns how many.

    Goes through what is there at its start, once. While somebody else asks the job for volumes, it does nothing.

    Args:
        database: where the ledger is.
        queue: the job's queue.
        job: the job.
        queue_was_empty: the queue held nothing, hidden or not, twice a minute apart. Without that only a queue
            that can be searched (PostgreSQL's) tells which messages are gone.
    """
    if job.status in (JobStatus.CANCELLED, JobStatus.COMPLETED):
        return 0
    with if_free(database, (ENQUEUEING, job.id), f"asking job {job.name} for volumes") as held:
        if held is None:
            return 0
        # the messages first: a message that goes meanwhile takes its entry out of those that wait before it does
        there = _asked_for(queue)
        with database.connection() as connection:
            entries = ledger.due(connection, job.id, settled_after_s=_SETTLED_S)
        gone = [one for one in entries if _is_gone(one, there, queue_was_empty=queue_was_empty)]
        sent = 0
        for start in range(0, len(gone), _CHUNK):
            part = [(one.volume_id, one.ref) for one in gone[start : start + _CHUNK]]
            sent += len(part) - len(hand_over(database, queue, job.id, part, held))
    if sent:
        logger.warning("{} volumes waited without a message: their messages were sent again", sent)
    return sent


def _is_gone(entry: ledger.Due, there: set[tuple[str, str]] | None, *, queue_was_empty: bool) -> bool:
    if there is not None:
        return entry.name not in there
    return not entry.sent or (queue_was_empty and entry.settled)


def _asked_for(queue: TaskQueue) -> set[tuple[str, str]] | None:
    """What the messages in the queue ask for, hidden or not; None: it can't be searched."""
    if not isinstance(queue, PostgresQueue):
        return None
    found = set()
    for message in queue.every():
        try:
            ref = decode_message(message)
        except InvalidMessage:
            continue  # a worker will set it aside with the reason
        found.add((ref.db_w_id, ref.i_id))
    return found
