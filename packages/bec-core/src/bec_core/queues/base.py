"""The interface that both queues have; every service failure is a :class:`QueueUnavailable`.

A queue delivers at least once and in no promised order. A received message stays invisible for its
visibility time, then comes again. A dead-letter queue is just another queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from bec_core.models import Message, OutgoingMessage, QueueStats


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

    def peek(self, limit: int) -> list[Message]:
        """Up to ``limit`` waiting messages, left (or soon again) visible to everybody else."""
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
