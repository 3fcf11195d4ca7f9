"""SQS as far as it matters: messages that hide, come again, and are forgotten; so many in flight and no more."""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count

from attrs import define, field

from fleet.scenario import Scenario
from fleet.tally import Tally


@define(eq=False)
class Message:
    """A message that asks for a volume; ``delivery`` tells one delivery from the next."""

    volume: int
    sent_s: float
    hidden_until_s: float = 0.0
    delivery: int = 0
    gone: bool = False


@define
class Queue:
    """One queue."""

    scenario: Scenario
    tally: Tally
    _visible: deque[Message] = field(factory=deque, init=False)
    _hidden: list[tuple[float, int, int, Message]] = field(factory=list, init=False)
    _number: count[int] = field(factory=count, init=False)
    in_flight: int = field(default=0, init=False)

    def send(self, volume: int, now: float) -> None:
        """Send a message."""
        self.tally.count("sent", now)
        self._visible.append(Message(volume, now))

    def receive(self, now: float, hide_s: float) -> Message | None:
        """A message that is visible, hidden from now on; None: there is none, or too many are in flight."""
        self._show_again(now)
        self.tally.count("received", now)
        if self.in_flight >= self.scenario.most_in_flight:
            self.tally.count("refused: too many in flight", now)
            return None
        while self._visible:
            message = self._visible.popleft()
            if message.gone or self._forgotten(message, now):
                continue
            self.in_flight += 1
            self.tally.peak("in flight", self.in_flight)
            self._hide(message, now + hide_s)
            return message
        return None

    def extend(self, message: Message, now: float, hide_s: float) -> None:
        """Hide this delivery's message for so long from now on; 0: it is visible at once."""
        self._hide(message, now + hide_s)

    def delete(self, message: Message) -> None:
        """Remove a message that is in flight."""
        message.gone = True
        self.in_flight -= 1

    def next_s(self, now: float) -> float | None:
        """When the next hidden message will be seen; None: there is none. One that is visible is seen now."""
        self._show_again(now)
        if any(not one.gone for one in self._visible):
            return now
        while self._hidden and self._stale(self._hidden[0]):
            heapq.heappop(self._hidden)
        return self._hidden[0][0] if self._hidden else None

    def waiting(self, now: float) -> int:
        """How many messages are visible."""
        self._show_again(now)
        return sum(not one.gone for one in self._visible)

    def _hide(self, message: Message, until_s: float) -> None:
        message.hidden_until_s = until_s
        message.delivery += 1
        heapq.heappush(self._hidden, (until_s, next(self._number), message.delivery, message))

    def _stale(self, entry: tuple[float, int, int, Message]) -> bool:
        return entry[3].gone or entry[3].delivery != entry[2]

    def _show_again(self, now: float) -> None:
        while self._hidden and self._hidden[0][0] <= now:
            entry = heapq.heappop(self._hidden)
            if self._stale(entry):
                continue
            self.in_flight -= 1
            self._visible.append(entry[3])

    def _forgotten(self, message: Message, now: float) -> bool:
        if now - message.sent_s <= self.scenario.retention_s:
            return False
        message.gone = True
        self.tally.count("forgotten", now)
        return True
