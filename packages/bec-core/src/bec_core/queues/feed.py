"""Keeping a queue topped up from the ledger: a few messages for each live worker, the most urgent volumes first.

What waits in the ledger alone can't expire, can be given another priority, and rests while the job is paused. The
feeder does this every few seconds; while none lives, workers that find their queue empty do.
"""

from __future__ import annotations

from bec_core.db import Database, feeding, ledger
from bec_core.db.backlog import backlog
from bec_core.db.feeding import FeederRow, Sent
from bec_core.db.locks import Held
from bec_core.queues.base import TaskQueue
from bec_core.queues.sending import SETTLED_S, gone, hand_over


def in_queue(sent: Sent, *, available: int, exact: bool) -> int:
    """How many messages wait in a queue, as far as it can be known.

    A queue whose figures lag may not count yet what was sent lately; what was sent before, and is not counted, is lost.
    """
    return available if exact else max(sent.lately, min(sent.lately + sent.before, available))


def room(*, per_worker: int, live_workers: int, held: int) -> int:
    """How many messages are to be sent; without a live worker, as for the first to come."""
    return max(0, per_worker * max(1, live_workers) - held)


def top_up(
    database: Database, queue: TaskQueue, job_id: int, feeder: FeederRow, held: Held, *, queue_was_empty: bool
) -> int:
    """Send as many messages as there is room for; returns how many. What was sent and is lost comes last.

    Args:
        database: where the ledger is.
        queue: the job's queue.
        job_id: the job.
        feeder: how many messages for each worker.
        held: the lock on asking the job for volumes.
        queue_was_empty: the queue held nothing, hidden or not, twice a minute apart.
    """
    available = queue.stats().available
    with database.connection() as connection:
        sent = feeding.sent(connection, job_id, lately_s=SETTLED_S)
        live = backlog(connection, job_id).live_workers
        left = room(
            per_worker=feeder.per_worker,
            live_workers=live,
            held=in_queue(sent, available=available, exact=queue.exact),
        )
        chosen = ledger.unsent(
            connection,
            job_id,
            limit=left,
            settled_after_s=SETTLED_S,
            lost_after_s=queue.retention_s() if left else None,
        )
    if len(chosen) < left and sent.lately + sent.before:
        known = {one.volume_id for one in chosen}
        lost = [
            one
            for one in gone(database, queue, job_id, queue_was_empty=queue_was_empty)
            if one.volume_id not in known
        ]
        chosen += lost[: left - len(chosen)]
    refused = hand_over(database, queue, job_id, [(one.volume_id, one.ref) for one in chosen], held)
    return len(chosen) - len(refused)
