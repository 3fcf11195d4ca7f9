"""A whole run: the fleet that takes the ledger's volumes until nothing is left."""

from __future__ import annotations

import random

import simpy
from attrs import define, field, frozen

from fleet.ledger import Ledger, Row, Status
from fleet.queue import Queue
from fleet.scenario import DAY_S, HOUR_S, Scenario
from fleet.tally import Tally
from fleet.worker import Instance, Steps

_LOOK_S = 60.0  # how often the fleet's size is looked at
_FEED_S = 10.0
_MOST_S = 400 * DAY_S  # a simulation that does not end is wrong


@frozen
class Result:
    """What came of it."""

    scenario: Scenario
    hours: float
    instance_hours: float
    tally: Tally = field(repr=False)
    rows: list[Row] = field(repr=False)
    done_at_h: dict[int, float]

    @property
    def lost_share(self) -> float:
        """Pages that were worked on in vain, of all that were."""
        worked = self.tally.sums["pages worked"]
        return self.tally.sums["pages lost"] / worked if worked else 0.0


@define
class _Fleet:
    env: simpy.Environment
    scenario: Scenario
    queue: Queue
    ledger: Ledger
    tally: Tally
    chance: random.Random
    bad: frozenset[int]
    alive: list[Instance] = field(factory=list)
    wanted: int = 0
    booked: int = 0

    def steer(self) -> Steps:
        """Keep as many instances as are wanted, until nothing is left."""
        while self.ledger.open:
            self.wanted = self._size()
            while self.booked < self.wanted:
                self.booked += 1
                self.env.process(self._place())
            for spare in self.alive[self.wanted :]:
                spare.unwanted = True
            yield self.env.timeout(_LOOK_S)
        self.wanted = 0

    def _size(self) -> int:
        sizing = self.scenario.sizing
        if sizing is None:
            return self.scenario.workers
        return min(self.scenario.workers, sizing(self.ledger.waiting, self.ledger.running, len(self.alive)))

    def _place(self) -> Steps:
        """One instance after the other, for as long as one more is wanted."""
        while True:
            one = Instance(
                self.env, self.scenario, self.queue, self.ledger, self.tally, self.chance, self.bad
            )
            self.alive.append(one)
            self.tally.peak("instances", len(self.alive))
            yield self.env.process(one.live())
            self.alive.remove(one)
            if one.over or self.booked > self.wanted:
                break
            yield self.env.timeout(self.scenario.replace_s)
            if self.booked > self.wanted:
                break
        self.booked -= 1

    def feed(self) -> Steps:
        """Keep the queue topped up from the ledger, or send everything at once."""
        rows, following = self.ledger.rows, 0
        while following < len(rows):
            room = len(rows)
            if self.scenario.feed is not None:
                room = self.scenario.feed * max(1, len(self.alive)) - self.queue.waiting(self.env.now)
            for volume in range(following, min(len(rows), following + max(0, room))):
                rows[volume].sent = True
                self.queue.send(volume, self.env.now)
                following = volume + 1
            yield self.env.timeout(_FEED_S)

    def watch(self, done_at_h: dict[int, float]) -> Steps:
        """Note when how many of a hundred volumes were done."""
        volumes = len(self.ledger.rows)
        for share in (50, 90, 99, 100):
            while volumes - self.ledger.open < volumes * share / 100:
                yield self.env.timeout(_LOOK_S)
            done_at_h[share] = self.env.now / HOUR_S


def simulate(scenario: Scenario) -> Result:
    """Run a scenario to its end.

    Raises:
        RuntimeError: it does not end.
    """
    random.seed(scenario.seed)  # the worker's own back-off draws from it
    chance = random.Random(scenario.seed)
    env, tally = simpy.Environment(), Tally()
    ledger = Ledger([Row(pages) for pages in scenario.sizes()], tally)
    bad = frozenset(chance.sample(range(scenario.volumes), round(scenario.bad * scenario.volumes)))
    fleet = _Fleet(env, scenario, Queue(scenario, tally), ledger, tally, chance, bad)
    done_at_h: dict[int, float] = {}
    env.process(fleet.feed())
    env.process(fleet.steer())
    watching = env.process(fleet.watch(done_at_h))
    env.run(until=env.any_of([watching, env.timeout(_MOST_S)]))
    if ledger.open:
        raise RuntimeError(f"{ledger.open} volumes are not done after {_MOST_S / DAY_S:.0f} days")
    hours = env.now / HOUR_S
    env.run()  # idle workers end, and are paid for until then
    tally.peak("connections", tally.peaks["instances"] * scenario.options.connections)
    return Result(scenario, hours, tally.sums["instance seconds"] / HOUR_S, tally, ledger.rows, done_at_h)


def volumes_by_status(result: Result) -> dict[Status, int]:
    """How many volumes ended how."""
    return {status: sum(row.status is status for row in result.rows) for status in Status}
