"""The interface that both queues have; every service failure is a :class:`QueueUnavailable`.

A queue delivers at least once and in no promised order. A received message stays invisible for its
visibility time, then comes again. A dead-letter queue is just another queue.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from attrs import frozen

from bec_core.models import Message, OutgoingMessage, QueueStats, VolumeRef


@frozen
class SendFailure:
    """A message that the queue refused (after retries), with its index in the call and the reason."""

    index: int
    reason: str


class TaskQueue(Protocol):
    """One queue."""

    @property
    def name(self) -> str:
        """The queue's name (``bec_ldv1_tasks``)."""
        ...

    @property
    def url(self) -> str:
        """What ``jobs.queue_url`` holds; :func:`bec_core.queues.open_queue` opens it again."""
        ...

    @property
    def exact(self) -> bool:
        """Whether the figures are exact, and "nothing received" means that nothing was there (not so with SQS)."""
        ...

    @property
    def beside_rows(self) -> bool:
        """Whether its messages lie in the database of the rows, so that nothing of them is on disk before what the rows
        said earlier."""
        ...

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendFailure]:
        """Send any number of messages (batched inside); what failed after retries comes back."""
        ...

    def receive(self, *, limit: int, wait_s: float, visibility_s: float) -> list[Message]:
        """Up to ``limit`` (≤ 10) messages, waiting up to ``wait_s`` for the first one."""
        ...

    def extend(self, message: Message, visibility_s: float) -> bool:
        """Hide the message for ``visibility_s`` from now on (0: visible at once).

        False: this delivery is over (it expired and was delivered again, or was deleted).
        """
        ...

    def delete(self, message: Message) -> bool:
        """Remove the message for good. False: it was gone, or this delivery is over."""
        ...

    def replace(self, message: Message) -> None:
        """Put a fresh copy, not yet delivered and visible at once, in the place of this delivery's message.

        The copy is there before the message goes, so a crash in between leaves both, never neither.

        Raises:
            QueueUnavailable: the copy was refused; the message stays.
        """
        ...

    def delivery_limit(self) -> int | None:
        """After how many deliveries the queue itself gives a message up, as it says now; None: never."""
        ...

    def retention_s(self) -> float | None:
        """For how long the queue keeps a message, as it says now; None: for ever."""
        ...

    def peek(self, limit: int, *, receive: bool = False) -> list[Message] | None:
        """Up to ``limit`` waiting messages, left visible to everybody else.

        None: this queue shows a message only by delivering it, which counts towards its
        :meth:`delivery_limit`; with ``receive`` it does so, and shows the messages again.
        """
        ...

    def remove(self, refs: Collection[VolumeRef], *, limit: int | None = None) -> int:
        """Delete what asks for these volumes, delivered or not, and sent before this call; returns how many.

        A queue that can't search delivers its messages one after the other, each once, ``limit`` at most.
        """
        ...

    def stats(self) -> QueueStats:
        """How many messages wait, are in flight, are delayed."""
        ...

    def purge(self) -> None:
        """Delete every message."""
        ...

    def close(self) -> None:
        """Release what the object holds."""
        ...
