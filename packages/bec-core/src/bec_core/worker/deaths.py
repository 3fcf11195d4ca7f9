"""Taking over at once what processes of this machine had in hand when they died: rows, and their messages."""

from __future__ import annotations

import socket

from loguru import logger

from bec_core.db import Database, workers
from bec_core.db.tasks import Failure
from bec_core.errors import QueueUnavailable
from bec_core.models import Message
from bec_core.queues.base import TaskQueue
from bec_core.worker import identity

_DIED = Failure(
    "worker",
    "WorkerDied",
    "the worker's process ended without a word while it had the task in hand",
    "worker-died",
)


def take_over(database: Database, queue: TaskQueue, *, job_id: int, max_attempts: int) -> int:
    """Free what dead workers of this job on this machine held, and show its messages again; returns how many tasks.

    A process is known to be dead if it was of this machine's boot and PID namespace and is gone. Its death is the
    failure of the one task that it had in hand; of several, each is tried alone next.
    """
    freed = 0
    with database.connection() as connection:
        candidates = workers.unstopped_on_host(connection, socket.gethostname(), job_id)
    for worker_id, token in candidates:
        if not identity.is_dead(token):
            continue
        with database.connection() as connection:
            held = workers.bury(connection, worker_id, max_attempts=max_attempts, failure=_DIED)
        for task in held:
            if task.message_id and task.receipt:
                _show(queue, Message(task.message_id, "", {}, task.receipt))
        freed += len(held)
        logger.info("worker {} of this machine died; {} of its tasks are free again", worker_id, len(held))
    return freed


def _show(queue: TaskQueue, message: Message) -> None:
    try:
        queue.extend(message, 0)
    except QueueUnavailable as error:
        logger.warning("a dead worker's message comes again only when its time is over: {}", error)
