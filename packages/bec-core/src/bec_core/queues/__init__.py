"""Queues of tasks: a table of PostgreSQL on one machine, SQS in the cloud, behind one interface.

:func:`open_queue` opens what ``jobs.queue_url`` names; :func:`create_queues` makes a job's two queues.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from attrs import frozen

from bec_core.errors import SettingsError
from bec_core.queues.base import SendFailure, TaskQueue
from bec_core.queues.policy import GOOD_LIMIT
from bec_core.queues.sqs_client import SqsClients, SqsOptions

if TYPE_CHECKING:
    from bec_core.queues.postgres import Connections

__all__ = [
    "CreatedQueues",
    "SendFailure",
    "SqsClients",
    "SqsOptions",
    "TaskQueue",
    "create_queues",
    "open_queue",
    "queue_names",
]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_JOB_NAME_LENGTH = 80 - len("bec__tasks")


@frozen
class CreatedQueues:
    """A job's queues; ``created`` names those that were not there before."""

    tasks: TaskQueue
    dead_letters: TaskQueue
    created: tuple[str, ...]


def queue_names(job_name: str) -> tuple[str, str]:
    """The names of a job's queues: ``bec_{job}_tasks`` and ``bec_{job}_dlq``.

    Raises:
        SettingsError: SQS would not take such a name (so neither do we on one machine).
    """
    if not _NAME.fullmatch(job_name) or len(job_name) > _JOB_NAME_LENGTH:
        raise SettingsError(
            f"the job name {job_name!r} can't be part of a queue's name:"
            f" use 1 to {_JOB_NAME_LENGTH} letters, digits, '_' and '-'"
        )
    return f"bec_{job_name}_tasks", f"bec_{job_name}_dlq"


def open_queue(
    url: str, *, database: Connections | None = None, sqs: SqsOptions | SqsClients | None = None
) -> TaskQueue:
    """The queue at ``url``; no connection is made before it is used.

    Args:
        url: ``postgres:///name``, or the ``http(s)://`` URL that SQS gave.
        database: where a ``postgres:///`` queue lies.
        sqs: region, endpoint and patience for SQS, or the clients to share (whoever made them closes them).

    Raises:
        SettingsError: the URL is of neither kind.
    """
    parts = urlsplit(url)
    name = parts.path.rpartition("/")[2]
    if parts.scheme in ("http", "https") and name.endswith(".fifo"):
        raise SettingsError(f"{url!r} is a FIFO queue; the tasks of a job need a standard queue")
    if _NAME.fullmatch(name) and not parts.query and not parts.fragment:
        if parts.scheme in ("http", "https") and parts.hostname:
            from bec_core.queues.sqs import SqsQueue

            return SqsQueue(url, sqs)
        if url == f"postgres:///{name}":
            from bec_core.queues.postgres import PostgresQueue

            if database is None:
                raise SettingsError(f"{url!r} lies in PostgreSQL, and no database is open")
            return PostgresQueue(name, database)
    raise SettingsError(f"{url!r} is not a queue's URL: https://sqs.…/name or postgres:///name")


def create_queues(
    job_name: str,
    kind: Literal["postgres", "sqs"],
    *,
    database: Connections | None = None,
    sqs: SqsOptions | None = None,
    max_receive_count: int = GOOD_LIMIT,
) -> CreatedQueues:
    """Make a job's two queues, or find them: what exists is used as it is.

    SQS gives a message up into the dead-letter queue after ``max_receive_count`` deliveries; workers replace
    it before that, so this is for what kills every worker at once. A queue in PostgreSQL never gives one up.

    Raises:
        SettingsError: the job's name can't be part of a queue's name, or SQS lacks a region.
        QueueUnavailable: the service refused or could not be reached.
    """
    tasks, dead_letters = queue_names(job_name)
    made: tuple[tuple[TaskQueue, bool], tuple[TaskQueue, bool]]
    if kind == "sqs":
        from bec_core.queues.sqs import create_sqs_queues

        made = create_sqs_queues(
            sqs or SqsOptions(), tasks, dead_letters, max_receive_count=max_receive_count
        )
    else:
        from bec_core.queues.postgres import create_postgres_queues

        if database is None:
            raise SettingsError(f"the queues of {job_name!r} lie in PostgreSQL, and no database is open")
        made = create_postgres_queues(database, tasks, dead_letters)
    created = tuple(queue.name for queue, is_new in made if is_new)
    return CreatedQueues(made[0][0], made[1][0], created)
