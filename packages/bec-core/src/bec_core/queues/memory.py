"""A queue in this process's memory: for doing one volume here and now."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Collection, Sequence

from attrs import define, evolve, field

from bec_core.models import Message, OutgoingMessage, QueueStats, VolumeRef
from bec_core.queues.base import SendFailure
from bec_core.queues.letters import asks_for


@define
class _Held:
    """A message with the moment from which it can be received (of ``time.monotonic``)."""

    message: Message
    due: float


@define
class MemoryQueue:
    """A :class:`~bec_core.queues.base.TaskQueue` that ends with the process; its waits end early when it is empty."""

    name: str
    _held: dict[str, _Held] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def url(self) -> str:
        """``memory:///name``: nobody else can open it."""
        return f"memory:///{self.name}"

    @property
    def exact(self) -> bool:
        """See the protocol."""
        return True

    @property
    def beside_rows(self) -> bool:
        """See the protocol."""
        return False

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendFailure]:
        """See the protocol."""
        with self._lock:
            for message in messages:
                made = Message(
                    uuid.uuid4().hex, message.body, dict(message.attributes), receipt="", receive_count=0
                )
                self._held[made.id] = _Held(made, 0.0)
        return []

    def receive(self, *, limit: int, wait_s: float, visibility_s: float) -> list[Message]:
        """See the protocol; does not wait: nobody else can send."""
        now = time.monotonic()
        with self._lock:
            due = [held for held in self._held.values() if held.due <= now][:limit]
            for held in due:
                count = held.message.receive_count + 1
                held.message = evolve(held.message, receipt=uuid.uuid4().hex, receive_count=count)
                held.due = now + visibility_s
            return [held.message for held in due]

    def extend(self, message: Message, visibility_s: float) -> bool:
        """See the protocol."""
        with self._lock:
            held = self._held.get(message.id)
            if held is None or held.message.receipt != message.receipt:
                return False
            held.due = time.monotonic() + visibility_s
            return True

    def delete(self, message: Message) -> bool:
        """See the protocol."""
        with self._lock:
            held = self._held.get(message.id)
            if held is None or held.message.receipt != message.receipt:
                return False
            del self._held[message.id]
            return True

    def replace(self, message: Message) -> None:
        """See the protocol."""
        with self._lock:
            held = self._held.get(message.id)
            if held is not None and held.message.receipt == message.receipt:
                held.message, held.due = evolve(held.message, receipt="", receive_count=0), 0.0

    def delivery_limit(self) -> int | None:
        """See the protocol: there is none."""
        return None

    def retention_s(self) -> float | None:
        """See the protocol: it ends with the process."""
        return None

    def remove(self, refs: Collection[VolumeRef], *, limit: int | None = None) -> int:
        """See the protocol."""
        with self._lock:
            found = [key for key, held in self._held.items() if asks_for(held.message, refs)]
            for key in found:
                del self._held[key]
        return len(found)

    def peek(self, limit: int, *, receive: bool = False) -> list[Message]:
        """See the protocol."""
        now = time.monotonic()
        with self._lock:
            return [held.message for held in self._held.values() if held.due <= now][:limit]

    def stats(self) -> QueueStats:
        """See the protocol."""
        now = time.monotonic()
        with self._lock:
            due = sum(held.due <= now for held in self._held.values())
            return QueueStats(available=due, in_flight=len(self._held) - due, delayed=0)

    def purge(self) -> None:
        """See the protocol."""
        with self._lock:
            self._held.clear()

    def close(self) -> None:
        """Nothing is held outside."""
