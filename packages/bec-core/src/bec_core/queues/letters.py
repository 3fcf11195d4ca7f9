"""Finding letters in a dead-letter queue, also in one that shows a message only by delivering it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bec_core.errors import InvalidMessage
from bec_core.models import Message, VolumeRef, decode_message

if TYPE_CHECKING:
    from bec_core.queues.base import TaskQueue

_BATCH = 10
_LONG_POLL_S = 1.0  # a short poll asks only some of SQS's servers
_HIDDEN_S = (120.0, 3600.0)  # at least and at most, while the rest of the queue is gone through
_HIDDEN_S_EACH = 0.05  # more for each message that there is
_PARALLEL = 16


def remove_letters(queue: TaskQueue, refs: Collection[VolumeRef], *, limit: int | None = None) -> int:
    """Delete the dead letters of these volumes that are there now; returns how many.

    Args:
        queue: the dead-letter queue.
        refs: whose letters.
        limit: look at so many letters at most, where they can't be found without being delivered (SQS).
    """
    wanted = frozenset(refs)
    return queue.remove(wanted, limit=limit) if wanted else 0


def remove_by_receiving(queue: TaskQueue, refs: Collection[VolumeRef], *, limit: int | None) -> int:
    """:meth:`TaskQueue.remove` for a queue that can't search: the other messages are shown again at the end."""
    others: list[Message] = []
    removed = 0
    try:
        for batch in each_once(queue, limit=limit):
            for message in batch:
                if asks_for(message, refs):
                    removed += queue.delete(message)
                else:
                    others.append(message)
    finally:
        show_again(queue, others)
    return removed


def each_once(queue: TaskQueue, *, limit: int | None = None) -> Iterator[list[Message]]:
    """The messages that wait in a queue, in batches, each once; they are hidden until dealt with.

    It ends whatever others do meanwhile: with what was there at its start, and when a message comes a
    second time, because its hiding ran out. Where the figures lag, "was there" is told by a message's time:
    it ends with the first batch of later ones once as many were seen as the queue said that it held.
    """
    started = datetime.now(UTC)
    there = queue.stats().available
    if queue.exact:
        limit = there if limit is None else min(limit, there)
    least, most = _HIDDEN_S
    hidden_s = min(most, least + there * _HIDDEN_S_EACH)
    wait_s = 0.0 if queue.exact else _LONG_POLL_S
    seen: set[str] = set()
    while limit is None or len(seen) < limit:
        wanted = _BATCH if limit is None else min(_BATCH, limit - len(seen))
        batch = queue.receive(limit=wanted, wait_s=wait_s, visibility_s=hidden_s)
        again = [message for message in batch if message.id in seen]
        fresh = [message for message in batch if message.id not in seen]
        seen.update(message.id for message in fresh)
        show_again(queue, again)
        if fresh:
            yield fresh
        later = all(message.enqueued_at is not None and message.enqueued_at > started for message in fresh)
        if again or not fresh or (later and len(seen) >= there):
            return


def show_again(queue: TaskQueue, messages: Sequence[Message]) -> None:
    """End the deliveries of these messages: they are visible at once."""
    if len(messages) <= 1 or queue.exact:
        for message in messages:
            queue.extend(message, 0)
        return
    with ThreadPoolExecutor(min(_PARALLEL, len(messages)), "bec-show") as pool:
        for _ in pool.map(lambda message: queue.extend(message, 0), messages):
            pass


def asks_for(message: Message, refs: Collection[VolumeRef]) -> bool:
    """Whether the message names one of these volumes."""
    try:
        return decode_message(message) in refs
    except InvalidMessage:
        return False
