"""Sending again what waits in the ledger and whose message is gone.

A queue can lose a message that nobody dealt with (SQS sets it aside at its own limit, or lets it expire), and a
crash can come between the ledger and the queue. What is left is told by the ledger, never by what a queue gives.
"""

from __future__ import annotations

from loguru import logger

from bec_core.db import Database, feeding
from bec_core.db.locks import ENQUEUEING, if_free
from bec_core.models import Job, JobStatus
from bec_core.queues.base import TaskQueue
from bec_core.queues.feed import top_up
from bec_core.queues.sending import gone, hand_over


def sweep(database: Database, queue: TaskQueue, job: Job, *, queue_was_empty: bool) -> int:
    """Send again what waits in the ledger and is due, but whose message is gone; returns how many.

    Goes through what is there at its start, once. While somebody else asks the job for volumes, it does nothing. Of a
    job with a feeder it sends no more than that would.

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
        with database.connection() as connection:
            feeder = feeding.feeder_of(connection, job.id)
        if feeder is not None:
            return top_up(database, queue, job.id, feeder, held, queue_was_empty=queue_was_empty)
        lost = [
            (one.volume_id, one.ref) for one in gone(database, queue, job.id, queue_was_empty=queue_was_empty)
        ]
        sent = len(lost) - len(hand_over(database, queue, job.id, lost, held))
    if sent:
        logger.warning("{} volumes waited without a message: their messages were sent again", sent)
    return sent
