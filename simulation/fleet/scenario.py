"""What a simulation is of: the work, the fleet, the market, the services' limits. Times in seconds."""

from __future__ import annotations

import random
from collections.abc import Callable

from attrs import field, frozen

from bec_core.admin.scaling.rules import Rules, wanted
from bec_core.db.backlog import Backlog
from bec_core.job_config import RuntimeConfig
from bec_core.worker import WorkerOptions

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S

Sizing = Callable[[int, int, int], int]
"""How many instances there should be: of volumes waiting, volumes running, and instances now."""


@frozen(kw_only=True)
class Scenario:
    """A run of one job.

    Attributes:
        volumes, pages: how many, all together.
        spread: of the volumes' sizes, the standard deviation of the logarithm.
        pages_per_s: of one worker. One worker runs on an instance, one volume at a time.
        around_s: what a volume takes besides its pages: receive, claim, manifest, publish, settle.
        workers: instances that there are at most.
        boot_s: from an instance's launch until its worker takes a message.
        replace_s: from an instance's end until the next one is launched.
        life_s: how long an instance lives on average, until the market takes it back.
        unannounced: the share of them that end without a notice (and of those that die of something else).
        notice_s: from a notice to the end.
        resume: finished pages of an unfinished volume are kept.
        part_s: how often they are written.
        faults: the share of attempts that fail for a reason that passes.
        bad: the share of volumes that fail each time.
        feed: so many messages for each live worker are kept in the queue; None: all are sent at the start.
        retention_s: for how long the queue keeps a message.
        most_in_flight: so many messages may be received and not deleted.
        options, runtime: the worker's, and the job's.
        sizing: how the fleet follows the backlog; None: all instances until nothing is left.
        seed: of chance.
    """

    volumes: int = 60_000
    pages: int = 22_000_000
    spread: float = 0.6
    pages_per_s: float = 3.0
    around_s: float = 2.0
    workers: int = 200
    boot_s: float = 180.0
    replace_s: float = 120.0
    life_s: float = 12 * HOUR_S
    unannounced: float = 0.05
    notice_s: float = 120.0
    resume: bool = True
    part_s: float = 60.0
    faults: float = 0.001
    bad: float = 0.0005
    feed: int | None = None
    retention_s: float = 4 * DAY_S
    most_in_flight: int = 120_000
    options: WorkerOptions = field(factory=WorkerOptions)
    runtime: RuntimeConfig = field(factory=RuntimeConfig)
    sizing: Sizing | None = None
    seed: int = 1

    def sizes(self) -> list[int]:
        """The pages of each volume: lognormal, each at least one, together all of them."""
        chance = random.Random(self.seed)
        drawn = [chance.lognormvariate(0.0, self.spread) for _ in range(self.volumes)]
        spare, whole = self.pages - self.volumes, sum(drawn)
        sizes = [1 + int(one / whole * spare) for one in drawn]
        for n in range(self.pages - sum(sizes)):
            sizes[n % self.volumes] += 1
        return sizes


def by_backlog(per_instance: int, most: int) -> Sizing:
    """The rule of ``bec scale``: an instance for so many volumes of the backlog."""
    rules = Rules(per_instance, most)

    def size(waiting: int, running: int, current: int) -> int:
        found = Backlog(waiting, running, 0, current)
        return wanted(rules, found, nobody=found.total == 0, current=current).instances

    return size
