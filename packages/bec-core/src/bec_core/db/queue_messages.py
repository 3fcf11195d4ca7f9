"""SQL over ``queues`` and ``queue_messages``: the queue of one machine.

Every function is one step within the caller's transaction, but for :func:`wait`, which needs to see
other transactions and therefore ends its own. Times are the server's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from bec_core.models import Message, OutgoingMessage, QueueStats

if TYPE_CHECKING:
    from bec_core.db.pool import Connection

_ROWS_PER_INSERT = 2000
_PREFETCH = 5000


@frozen
class QueueRow:
    """A row of ``queues``."""

    id: int
    name: str
    dead_letter_id: int | None
    max_receive_count: int | None


def create(connection: Connection, name: str, *, dead_letter_id: int | None = None) -> tuple[QueueRow, bool]:
    """The queue of this name, created if there is none; True if it was. An existing one stays as it is."""
    created = connection.execute(
        "INSERT INTO queues (name, dead_letter_id) VALUES (%s, %s)"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        (name, dead_letter_id),
    ).fetchone()
    queue = find(connection, name)
    assert queue is not None
    return queue, created is not None


def find(connection: Connection, name: str) -> QueueRow | None:
    """The queue of exactly this name."""
    row = connection.execute(
        "SELECT id, name, dead_letter_id, max_receive_count FROM queues WHERE name = %s", (name,)
    ).fetchone()
    return QueueRow(*row) if row else None


def send(connection: Connection, queue_id: int, messages: Sequence[OutgoingMessage]) -> None:
    """Append messages, and wake those who :func:`wait`."""
    for start in range(0, len(messages), _ROWS_PER_INSERT):
        part = messages[start : start + _ROWS_PER_INSERT]
        # one JSON text: psycopg builds an array of JSON texts several times more slowly
        rows = json.dumps([{"body": m.body, "attributes": dict(m.attributes)} for m in part])
        connection.execute(
            "INSERT INTO queue_messages (queue_id, body, attributes) SELECT %s, body, attributes"
            " FROM jsonb_to_recordset(%s::jsonb) AS new (body text, attributes jsonb)",
            (queue_id, rows),
        )
    if messages:
        _wake(connection, queue_id)


def take(connection: Connection, queue_id: int, *, limit: int, visibility_s: float) -> list[Message]:
    """Deliver up to ``limit`` due messages, those waiting longest first, each with a new receipt.

    How often a message was delivered says nothing against it (orderly stops and trouble outside deliver it
    again): the queue never gives one up. The commit is not waited for on disk: a crash of the server makes the
    delivery undone, which the next one repeats.
    """
    connection.execute("SET LOCAL synchronous_commit TO off")
    rows = connection.execute(
        """
        WITH due AS MATERIALIZED (
            SELECT id FROM queue_messages
            WHERE queue_id = %(queue)s AND visible_at <= clock_timestamp()
            ORDER BY visible_at
            LIMIT %(limit)s
            FOR UPDATE SKIP LOCKED
        )
        UPDATE queue_messages m
        SET receipt = gen_random_uuid(), receive_count = m.receive_count + 1,
            first_received_at = coalesce(m.first_received_at, clock_timestamp()),
            visible_at = clock_timestamp() + make_interval(secs => %(visibility)s)
        FROM due WHERE m.id = due.id
        RETURNING m.id, m.body, m.attributes, m.receipt, m.receive_count, m.enqueued_at
        """,
        {"queue": queue_id, "limit": limit, "visibility": float(visibility_s)},
    )
    return [_message(row) for row in rows]


def wait(connection: Connection, queue_id: int, *, deadline: float, poll_s: float) -> None:
    """Return when there may be a due message, or at ``deadline`` (of :func:`time.monotonic`).

    Costs the server nothing while it waits: a sender's ``NOTIFY`` ends it, as does the time at which a
    hidden message comes back. ``poll_s`` bounds the sleep. Behind a pooler nobody can listen: there it is a sleep.
    """
    if not connection.pooled:
        connection.execute(f"LISTEN {_channel(queue_id)}")
        connection.commit()
    try:
        row = connection.execute(
            "SELECT extract(epoch FROM min(visible_at) - clock_timestamp())::float8 FROM queue_messages"
            " WHERE queue_id = %s",
            (queue_id,),
        ).fetchone()
        connection.commit()
        # what is due already is being taken by another worker, or came a moment ago: look again soon
        until_due = max(0.01, float(row[0])) if row and row[0] is not None else poll_s
        sleep = min(until_due, poll_s, deadline - time.monotonic())
        if sleep > 0 and connection.pooled:
            time.sleep(sleep)
        elif sleep > 0:
            for _ in connection.notifies(timeout=sleep, stop_after=1):
                break
    finally:
        if not connection.closed and not connection.pooled:
            connection.rollback()
            connection.execute(f"UNLISTEN {_channel(queue_id)}")
            connection.commit()


def extend(connection: Connection, message_id: int, receipt: str, visibility_s: float) -> bool:
    """Hide the message of this delivery for so long from now; 0 hands it back and ends the delivery."""
    connection.execute("SET LOCAL synchronous_commit TO off")
    row = connection.execute(
        "UPDATE queue_messages SET visible_at = clock_timestamp() + make_interval(secs => %(visibility)s),"
        " receipt = CASE WHEN %(visibility)s > 0 THEN receipt END"
        " WHERE id = %(id)s AND receipt::text = %(receipt)s RETURNING queue_id",
        {"visibility": float(visibility_s), "id": message_id, "receipt": receipt},
    ).fetchone()
    if row and visibility_s <= 0:
        _wake(connection, row[0])
    return row is not None


def delete(connection: Connection, message_id: int, receipt: str) -> bool:
    """Remove the message of this delivery.

    The commit is not waited for on disk: a crash of the server brings the message back, and whoever gets it
    finds the task done (or set aside: what came before is on disk before this can be).
    """
    connection.execute("SET LOCAL synchronous_commit TO off")
    done = connection.execute(
        "DELETE FROM queue_messages WHERE id = %s AND receipt::text = %s", (message_id, receipt)
    )
    return done.rowcount == 1


def renew(connection: Connection, message_id: int, receipt: str) -> None:
    """Make the message of this delivery one that was never delivered, visible at once."""
    row = connection.execute(
        "UPDATE queue_messages SET receipt = NULL, receive_count = 0, first_received_at = NULL,"
        " visible_at = clock_timestamp() WHERE id = %s AND receipt::text = %s RETURNING queue_id",
        (message_id, receipt),
    ).fetchone()
    if row is not None:
        _wake(connection, row[0])


def every(connection: Connection, queue_id: int) -> Iterator[Message]:
    """All messages, hidden or not, streamed; their receipt is empty."""
    with connection.cursor(name="every_message") as cursor:
        cursor.itersize = _PREFETCH
        cursor.execute(
            "SELECT id, body, attributes, '', receive_count, enqueued_at FROM queue_messages WHERE queue_id = %s",
            (queue_id,),
        )
        for row in cursor:
            yield _message(row)


def delete_all(connection: Connection, message_ids: Sequence[int]) -> int:
    """Remove these messages, whoever has them; returns how many there were."""
    return connection.execute(
        "DELETE FROM queue_messages WHERE id = ANY(%s::bigint[])", (list(message_ids),)
    ).rowcount


def peek(connection: Connection, queue_id: int, limit: int) -> list[Message]:
    """The messages that wait, those waiting longest first, untouched; their receipt is empty."""
    rows = connection.execute(
        "SELECT id, body, attributes, '', receive_count, enqueued_at FROM queue_messages"
        " WHERE queue_id = %s AND visible_at <= clock_timestamp() ORDER BY visible_at LIMIT %s",
        (queue_id, limit),
    )
    return [_message(row) for row in rows]


def stats(connection: Connection, queue_id: int) -> QueueStats:
    """How many messages wait, are in flight (delivered, hidden), are delayed (hidden, not delivered)."""
    row = connection.execute(
        """
        SELECT count(m.id) FILTER (WHERE m.visible_at <= clock_timestamp()),
               count(m.id) FILTER (WHERE m.visible_at > clock_timestamp() AND m.receipt IS NOT NULL),
               count(m.id) FILTER (WHERE m.visible_at > clock_timestamp() AND m.receipt IS NULL),
               min(q.created_at)
        FROM queues q LEFT JOIN queue_messages m ON m.queue_id = q.id WHERE q.id = %s
        """,
        (queue_id,),
    ).fetchone()
    assert row is not None
    return QueueStats(row[0], row[1], row[2], created_at=row[3])


def purge(connection: Connection, queue_id: int) -> None:
    """Delete every message, also those in flight."""
    connection.execute("DELETE FROM queue_messages WHERE queue_id = %s", (queue_id,))


def _channel(queue_id: int) -> str:
    return f"bec_queue_{int(queue_id)}"


def _wake(connection: Connection, queue_id: int) -> None:
    connection.execute("SELECT pg_notify(%s, '')", (_channel(queue_id),))


def _message(row: tuple[Any, ...]) -> Message:
    attributes: Mapping[str, str] = row[2]
    return Message(str(row[0]), row[1], attributes, str(row[3]), row[4], row[5])
