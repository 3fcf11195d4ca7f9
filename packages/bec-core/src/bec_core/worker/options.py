"""What an operator can set on a worker."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bec_core.worker.parts.task import EVERY_S

EMPTY_TWICE_S = 60.0
"""A queue whose figures lag (SQS's, by up to a minute) must be seen empty twice, so far apart."""


@frozen(kw_only=True)
class WorkerOptions:
    """A worker's numbers; times in seconds.

    Attributes:
        poll_wait_s: how long one receive waits for a message.
        lease_s: how long a task stays ours without renewal; its message is hidden as long. Renewed
            every third of it.
        shutdown_after_empty: end after this many empty receives in a row; None: never.
        until_drained: end as soon as nothing is left, and not before.
        by_ledger: the ledger says whether anything is left; False: the queue alone (one volume, asked for in memory).
        empty_twice_s: a queue whose figures lag must be seen empty twice, so many seconds apart.
        redo_other_recipes: a marker of another recipe is not done (``bec run``); one without a recipe is.
        concurrency: how many tasks run at the same time. One whose last page has begun lets the next begin.
        grace_s: how long tasks may go on after the first request to stop.
        stall_timeout_s: give a task up when no page of it was finished for this long.
        retry_base_s, retry_cap_s: back-off after a failure: ``base * 2**(failures - 1)``, at most ``cap``, with jitter.
        heartbeat_s: how often the worker's row says that it lives.
        tags: kept in the worker's row.
        job_options: handed to the job's worker as they are; ``threads`` bounds the pages at work at a time, too.
        part_every_s: finished pages are kept for a next attempt about so often.
        scratch: where large artifacts grow until they are published; None: the system's folder for temporary files.
    """

    poll_wait_s: float = 20.0
    lease_s: float = 300.0
    shutdown_after_empty: int | None = 6
    until_drained: bool = False
    by_ledger: bool = True
    empty_twice_s: float = field(factory=lambda: EMPTY_TWICE_S)
    redo_other_recipes: bool = False
    concurrency: int = 1
    grace_s: float = 60.0
    stall_timeout_s: float = 900.0
    retry_base_s: float = 30.0
    retry_cap_s: float = 900.0
    heartbeat_s: float = 10.0
    tags: Mapping[str, Any] = field(factory=dict)
    job_options: Mapping[str, Any] = field(factory=dict)
    part_every_s: float = EVERY_S
    scratch: Path | None = None

    @property
    def most_at_once(self) -> int:
        """How many tasks can be at hand: each that runs, and before each one whose last pages are at work."""
        return 2 * self.concurrency

    @property
    def connections(self) -> int:
        """How many connections to the database a worker may open: one for each task, the keeper's, the heartbeat's.

        A slot that waits at a queue in PostgreSQL holds one; the keeper must never wait behind them.
        """
        return self.most_at_once + 2

    def backoff_s(self, failures: int) -> float:
        """How long to leave a task alone after its ``failures``-th failure: half of it fixed, half jitter."""
        full = min(self.retry_cap_s, self.retry_base_s * 2.0 ** min(failures - 1, 30))
        return full / 2 + random.uniform(0, full / 2)
