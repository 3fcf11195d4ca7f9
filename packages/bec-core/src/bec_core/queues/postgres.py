"""The queue as a table of PostgreSQL: what one machine uses in place of SQS."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from bec_core.db import queue_messages
from bec_core.errors import DatabaseUnavailable, NotFoundError, QueueUnavailable
from bec_core.models import Message, OutgoingMessage, QueueStats, VolumeRef
from bec_core.queues.base import SendFailure
from bec_core.queues.letters import asks_for

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

_POLL_S = 2.0


class Connections(Protocol):
    """What the queue needs of a :class:`~bec_core.db.pool.Database`."""

    def connection(self) -> AbstractContextManager[Connection]:
        """Borrow a connection for one transaction."""
        ...


class PostgresQueue:
    """A :class:`~bec_core.queues.base.TaskQueue` over ``queue_messages``.

    A wait for messages holds one connection, idle, listening; a call that meets a restarting server
    raises :class:`~bec_core.errors.QueueUnavailable`, and the next one finds a new connection.
    An expired delivery stays good until the message is delivered again.
    """

    def __init__(self, name: str, database: Connections) -> None:
        self._name = name
        self._database = database
        self._id: int | None = None

    @property
    def name(self) -> str:
        """The queue's name."""
        return self._name

    @property
    def url(self) -> str:
        """``postgres:///name``: the database is the one that the settings name."""
        return f"postgres:///{self._name}"

    @property
    def exact(self) -> bool:
        """See the protocol."""
        return True

    @property
    def beside_rows(self) -> bool:
        """See the protocol."""
        return True

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendFailure]:
        """See the protocol; all that the table can hold are sent in one transaction."""
        refused = [
            SendFailure(n, "PostgreSQL can't store the character NUL")
            for n, m in enumerate(messages)
            if "\x00" in m.body or any("\x00" in text for pair in m.attributes.items() for text in pair)
        ]
        bad = {failure.index for failure in refused}
        with self._transaction() as (connection, queue_id):
            queue_messages.send(connection, queue_id, [m for n, m in enumerate(messages) if n not in bad])
        return refused

    def receive(self, *, limit: int, wait_s: float, visibility_s: float) -> list[Message]:
        """See the protocol."""
        deadline = time.monotonic() + wait_s
        while True:
            with self._transaction() as (connection, queue_id):
                taken = queue_messages.take(connection, queue_id, limit=limit, visibility_s=visibility_s)
            if taken:
                return taken
            if time.monotonic() >= deadline:
                return []
            with self._transaction() as (connection, queue_id):
                queue_messages.wait(connection, queue_id, deadline=deadline, poll_s=_POLL_S)

    def extend(self, message: Message, visibility_s: float) -> bool:
        """See the protocol."""
        with self._transaction() as (connection, _):
            return queue_messages.extend(connection, int(message.id), message.receipt, visibility_s)

    def delete(self, message: Message) -> bool:
        """See the protocol."""
        with self._transaction() as (connection, _):
            return queue_messages.delete(connection, int(message.id), message.receipt)

    def replace(self, message: Message) -> None:
        """See the protocol; one statement, so there is never more than one of them, and it keeps its age."""
        with self._transaction() as (connection, _):
            queue_messages.renew(connection, int(message.id), message.receipt)

    def delivery_limit(self) -> int | None:
        """See the protocol: what an earlier version gave the queue. This one never gives a message up by itself."""
        with self._transaction() as (connection, _):
            queue = queue_messages.find(connection, self._name)
        return queue.max_receive_count if queue else None

    def retention_s(self) -> float | None:
        """See the protocol."""
        return None

    def remove(self, refs: Collection[VolumeRef], *, limit: int | None = None) -> int:
        """See the protocol; found by a query, nothing is delivered."""
        with self._transaction() as (connection, queue_id):
            found = [m.id for m in queue_messages.every(connection, queue_id) if asks_for(m, refs)]
            return queue_messages.delete_all(connection, [int(one) for one in found])

    def every(self) -> list[Message]:
        """All messages, hidden or not, untouched; their receipt is empty."""
        with self._transaction() as (connection, queue_id):
            return list(queue_messages.every(connection, queue_id))

    def peek(self, limit: int, *, receive: bool = False) -> list[Message]:
        """See the protocol; nothing is touched."""
        with self._transaction() as (connection, queue_id):
            return queue_messages.peek(connection, queue_id, limit)

    def stats(self) -> QueueStats:
        """See the protocol; exact."""
        with self._transaction() as (connection, queue_id):
            return queue_messages.stats(connection, queue_id)

    def purge(self) -> None:
        """See the protocol."""
        with self._transaction() as (connection, queue_id):
            queue_messages.purge(connection, queue_id)

    def close(self) -> None:
        """Nothing is held: the database belongs to the caller."""

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, int]]:
        try:
            with self._database.connection() as connection:
                if self._id is None:
                    queue = queue_messages.find(connection, self._name)
                    if queue is None:
                        raise NotFoundError(
                            f"there is no queue {self._name!r} in this database; bec jobs create makes one"
                        )
                    self._id = queue.id
                yield connection, self._id
        except DatabaseUnavailable as error:
            raise QueueUnavailable(f"queue {self._name}: {error}") from error


def create_postgres_queues(
    database: Connections, tasks: str, dead_letters: str
) -> tuple[tuple[PostgresQueue, bool], tuple[PostgresQueue, bool]]:
    """Create both queues where missing: each with whether it was created."""
    try:
        with database.connection() as connection:
            dlq, new_dlq = queue_messages.create(connection, dead_letters)
            _, new_tasks = queue_messages.create(connection, tasks, dead_letter_id=dlq.id)
    except DatabaseUnavailable as error:
        raise QueueUnavailable(f"queues {tasks} and {dead_letters}: {error}") from error
    return (PostgresQueue(tasks, database), new_tasks), (PostgresQueue(dead_letters, database), new_dlq)
