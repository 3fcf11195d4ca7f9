"""Sending what waits in the ledger, and telling which of its messages a queue has lost."""

from __future__ import annotations

from collections.abc import Sequence

from bec_core.db import Database, ledger
from bec_core.db.locks import Held
from bec_core.errors import InvalidMessage
from bec_core.models import VolumeRef, decode_message, encode_message
from bec_core.queues.base import TaskQueue
from bec_core.queues.postgres import PostgresQueue

SETTLED_S = 120.0
"""A message was sent "lately" for so long: SQS's figures lag by up to a minute, and two machines' clocks may differ."""

_CHUNK = 2000


def hand_over(
    database: Database, queue: TaskQueue, job_id: int, asked: Sequence[tuple[int, VolumeRef]], held: Held
) -> dict[int, str]:
    """Send the messages of entries that wait and say so in the ledger; index and reason of what was refused.

    Raises:
        ConflictError: the lock on asking was lost meanwhile; what was sent is sent once more by whoever asks next.
    """
    failed: dict[int, str] = {}
    for start in range(0, len(asked), _CHUNK):
        part = asked[start : start + _CHUNK]
        refused = {f.index: f.reason for f in queue.send([encode_message(ref) for _, ref in part])}
        with database.connection() as connection:
            held.confirm(connection)
            ledger.mark_sent(connection, job_id, [one for n, (one, _) in enumerate(part) if n not in refused])
        failed |= {start + index: reason for index, reason in refused.items()}
    return failed


def gone(database: Database, queue: TaskQueue, job_id: int, *, queue_was_empty: bool) -> list[ledger.Due]:
    """What waits, is due, and has no message, the most urgent first.

    ``queue_was_empty``: the queue held nothing, hidden or not, twice a minute apart. Without that only a queue that
    can be searched (PostgreSQL's) tells which messages are gone.
    """
    # the messages first: a message that goes meanwhile takes its entry out of those that wait before it does
    there = _asked_for(queue)
    with database.connection() as connection:
        entries = ledger.due(connection, job_id, settled_after_s=SETTLED_S)
    return [one for one in entries if _is_gone(one, there, queue_was_empty=queue_was_empty)]


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
