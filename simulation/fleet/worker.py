"""An instance from its launch to its end: it boots, its worker takes volumes, the market takes it back."""

from __future__ import annotations

import random
from collections.abc import Generator

import simpy
from attrs import define, field

from fleet.ledger import Ledger, Refused, Row, Status
from fleet.queue import Message, Queue
from fleet.scenario import Scenario
from fleet.tally import Tally

Steps = Generator[simpy.Event, None, None]

_SLACK_S = 1.0  # as bec_core.worker.attempt leaves a task a little longer than its lease
_IN_HAND_S = 5.0  # pages in hand at a notice are finished


@define(eq=False)
class Instance:
    """One instance. ``unwanted``: the fleet is to be smaller; a volume at hand is done first."""

    env: simpy.Environment
    scenario: Scenario
    queue: Queue
    ledger: Ledger
    tally: Tally
    chance: random.Random
    bad: frozenset[int]
    announced: bool = field(init=False)
    stops_at_s: float = field(init=False)
    over: bool = field(default=False, init=False)
    unwanted: bool = field(default=False, init=False)

    def live(self) -> Steps:
        """All of its life; ``over`` once nothing is left to do."""
        launched = self.env.now
        life = self.chance.expovariate(1 / self.scenario.life_s)
        self.announced = self.chance.random() >= self.scenario.unannounced
        self.stops_at_s = launched + life
        yield self.env.timeout(min(self.scenario.boot_s, life))
        ready = self.env.now
        if self.env.now < self.stops_at_s:
            yield from self._work()
        taken = self.env.now >= self.stops_at_s
        if taken:
            self.tally.count("interruptions" if self.announced else "deaths", self.env.now)
            if self.announced:
                yield self.env.timeout(max(0.0, self.scenario.notice_s - (self.env.now - self.stops_at_s)))
        self.tally.periodic("heartbeats", ready, self.env.now, self.scenario.options.heartbeat_s)
        self.tally.add("instance seconds", self.env.now - launched)

    # -- the worker -----------------------------------------------------------------------------------

    def _work(self) -> Steps:
        empty = 0
        limit = self.scenario.options.shutdown_after_empty or 0
        while self.env.now < self.stops_at_s and not self.unwanted:
            message = self.queue.receive(self.env.now, self.scenario.options.lease_s)
            if message is not None:
                empty = 0
                yield from self._see_through(message)
                continue
            began = self.env.now
            yield self.env.timeout(self._patience())
            empty += self.env.now - began >= self.scenario.options.poll_wait_s
            self.tally.add("idle seconds", self.env.now - began)
            if empty >= limit:
                if not self.ledger.open:
                    self.over = True
                    return
                empty = 0
                self._sweep()

    def _patience(self) -> float:
        """How long a receive waits: until a message is seen, or the poll ends, or the instance does."""
        now, poll = self.env.now, self.scenario.options.poll_wait_s
        seen = self.queue.next_s(now)
        until = now + poll if seen is None or seen <= now else min(now + poll, seen)
        return max(1e-3, min(until, self.stops_at_s) - now)

    def _sweep(self) -> None:
        """What waits although its message is gone is sent again: the queue was empty twice."""
        if self.queue.next_s(self.env.now) is not None:
            return
        for volume, row in enumerate(self.ledger.rows):
            due = max(row.lease_until_s, row.retry_at_s) <= self.env.now
            if row.sent and due and row.status in (Status.WAITING, Status.RUNNING):
                self.tally.count("sent again", self.env.now)
                self.queue.send(volume, self.env.now)

    def _see_through(self, message: Message) -> Steps:
        options = self.scenario.options
        claimed = self.ledger.claim(message.volume, self.env.now, options.lease_s)
        if isinstance(claimed, Refused):
            if claimed.wait_s is None:
                self.queue.delete(message)
            else:
                self.tally.count("left", self.env.now)
                self.queue.extend(message, self.env.now, claimed.wait_s + _SLACK_S)
            yield self.env.timeout(self.scenario.around_s / 2)
            return
        if self.ledger.given_up(claimed):
            self.tally.add("pages given up", claimed.kept)
            self.ledger.end(claimed, Status.FAILED, self.env.now)
            self.queue.delete(message)
            return
        yield from self._attempt(message, claimed)

    def _attempt(self, message: Message, row: Row) -> Steps:
        began, kept = self.env.now, row.kept
        if kept:
            self.tally.add("pages resumed", kept)
        rate = self.scenario.pages_per_s
        ends = began + self.scenario.around_s + (row.pages - kept) / rate
        if ends <= self.stops_at_s:
            # hidden until whoever ends it says otherwise: renewing keeps it so
            self.queue.extend(message, began, ends - began + self.scenario.options.lease_s)
            yield self.env.timeout(ends - began)
            self._renewed(began)
            self.tally.add("pages worked", row.pages - kept)
            self._end(message, row)
            return
        self.queue.extend(message, began, self.stops_at_s - began + self.scenario.options.lease_s)
        yield self.env.timeout(self.stops_at_s - began)
        self._interrupted(message, row, began)
        if self.announced:
            yield self.env.timeout(_IN_HAND_S)

    def _end(self, message: Message, row: Row) -> None:
        now, bad = self.env.now, message.volume in self.bad
        row.pages_done = row.pages
        if not bad and self.chance.random() >= self.scenario.faults:
            self.ledger.end(row, Status.DONE, now)
            self.queue.delete(message)
            return
        row.failures += 1
        if row.failures >= self.scenario.runtime.max_attempts:
            self.tally.add("pages given up", row.pages)
            self.ledger.end(row, Status.FAILED, now)
            self.queue.delete(message)
            return
        self.tally.count("retries", now)
        if self.scenario.resume and not bad:  # what was finished is kept
            row.kept = row.pages
        else:
            self.tally.add("pages lost to failures", row.pages - row.kept)
        wait_s = self.scenario.options.backoff_s(row.failures)
        self.ledger.leave(row, now, retry_s=wait_s)
        self.queue.extend(message, now, wait_s)

    def _interrupted(self, message: Message, row: Row, began: float) -> None:
        """The instance is taken back (it has a notice: what is done is kept and handed back) or dies at once."""
        now, scenario, lease_s = self.env.now, self.scenario, self.scenario.options.lease_s
        renewed = self._renewed(began)
        worked = self._pages_within(now - began, row)
        row.pages_done = row.kept + worked
        flushed = worked
        if not self.announced:
            flushed = self._pages_within((now - began) // scenario.part_s * scenario.part_s, row)
        saved = flushed if scenario.resume else 0
        self.tally.add("pages worked", worked)
        self.tally.add("pages lost", worked - saved)
        row.kept += saved
        if self.announced:
            self.ledger.leave(row, now)
            self.queue.extend(message, now, _IN_HAND_S)
        else:  # nobody says so: the lease and the message's hiding run out
            left = began + renewed * lease_s / 3 + lease_s - now
            row.lease_until_s = now + left
            self.queue.extend(message, now, left)

    def _pages_within(self, seconds: float, row: Row) -> int:
        within = max(0.0, seconds - self.scenario.around_s / 2)
        return min(row.pages - row.kept, int(within * self.scenario.pages_per_s))

    def _renewed(self, began: float) -> int:
        every = self.scenario.options.lease_s / 3
        self.tally.periodic("hidings", began, self.env.now, every)
        return self.tally.periodic("renewals", began, self.env.now, every)
