"""A job's feeder: the process that keeps its queue topped up from the ledger, and publishes its backlog.

One process feeds a job; another one stands by and takes over when the first ends. Whatever it is killed between is
mended by the next tick, of its own or of a worker that finds its queue empty: the ledger says what waits, and a
message that is sent twice is found done.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from enum import StrEnum

from attrs import field, frozen
from loguru import logger

from bec_core.admin.actions import record
from bec_core.admin.canary import notice
from bec_core.admin.scaling.calls import Cloud
from bec_core.admin.scaling.metrics import publish
from bec_core.admin.session import Session
from bec_core.db import feeding, inputs, jobs, left
from bec_core.db.backlog import Backlog, backlog
from bec_core.db.feeding import FeederRow
from bec_core.db.locks import FEEDING, Held, if_free
from bec_core.db.reads import statistics
from bec_core.errors import ConflictError, NotFoundError, ServiceError
from bec_core.models import Job, JobStatus
from bec_core.queues.emptiness import Emptiness
from bec_core.queues.release import release
from bec_core.queues.sweep import sweep
from bec_core.worker.identity import own_token
from bec_core.worker.options import EMPTY_TWICE_S

__all__ = [
    "Budget",
    "Feeder",
    "FeederEnd",
    "FeederOptions",
    "FeederRow",
    "feeder_of",
    "give_feeder",
    "take_feeder_away",
]

_TROUBLE_PAUSE_S = (1.0, 60.0)


@frozen
class Budget:
    """What a job may cost at a price per worker and hour, by the hours that its workers have lived."""

    most: float
    hourly_price: float

    def spent(self, worker_s: float) -> str | None:
        """Why to pause the job, if it has cost as much."""
        hours = worker_s / 3600
        cost = hours * self.hourly_price
        if cost < self.most:
            return None
        return (
            f"it has cost {cost:.2f} ({hours:.1f} worker hours at {self.hourly_price:g}), and its feeder was told"
            f" --max-spend {self.most:g}"
        )


@frozen(kw_only=True)
class FeederOptions:
    """A feeder's numbers; times in seconds.

    Attributes:
        every_s: how often it looks.
        publish_every_s: how often it publishes the backlog, and looks for blocked volumes that are ready.
        empty_twice_s: a queue whose figures lag must be seen empty twice, so far apart.
        metrics: publish to CloudWatch.
        budget: pause the job when it has cost so much; None: whatever it costs.
    """

    every_s: float = 10.0
    publish_every_s: float = 60.0
    empty_twice_s: float = field(factory=lambda: EMPTY_TWICE_S)
    metrics: bool = False
    budget: Budget | None = None


class FeederEnd(StrEnum):
    """Why a feeder ended."""

    STOPPED = "it was told to stop"
    TAKEN_AWAY = "the job has no feeder any more"
    DELETED = "the job was deleted"


def feeder_of(session: Session, job: Job) -> FeederRow | None:
    """The job's feeder; None: its messages are sent when it is asked."""
    with session.database.connection() as connection:
        return feeding.feeder_of(connection, job.id)


def give_feeder(session: Session, job: Job, per_worker: int | None = None) -> None:
    """Say that the job has a feeder: from now on asking enters its volumes into the ledger, and sends nothing."""
    with session.database.connection() as connection:
        before = feeding.feeder_of(connection, job.id)
        feeding.give(connection, job.id, per_worker)
        after = feeding.feeder_of(connection, job.id)
        if after and (before is None or before.per_worker != after.per_worker):
            record(session, connection, job, "feed", per_worker=after.per_worker)


def take_feeder_away(session: Session, job: Job) -> int | None:
    """Say that the job has no feeder, and send what waits unsent; how many messages, None: it had none."""
    with session.database.connection() as connection:
        if not feeding.take_away(connection, job.id):
            return None
        record(session, connection, job, "no-feed")
    return sweep(session.database, session.queue(job.queue_url), job, queue_was_empty=False)


class Feeder:
    """Feeds one job until told to stop."""

    def __init__(
        self,
        session: Session,
        job: Job,
        options: FeederOptions | None = None,
        *,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._session = session
        self._job = job
        self._options = options or FeederOptions()
        self._say = say
        self._queue = session.queue(job.queue_url)
        self._emptiness = Emptiness(self._queue.exact, self._options.empty_twice_s)
        self._cloud = Cloud(session.settings)
        self._by = f"{socket.gethostname()} {own_token().split('/')[1]}"
        self._status: JobStatus | None = None
        self._published_at: float | None = None

    def run(self, stop: threading.Event) -> FeederEnd:
        """Feed until ``stop``; whatever of the services is away meanwhile is waited for."""
        trouble, standing_by = 0, False
        try:
            while not stop.is_set():
                try:
                    what = f"feeding job {self._job.name}"
                    with if_free(self._session.database, (FEEDING, self._job.id), what) as held:
                        if held is not None:
                            standing_by = False
                            while not stop.is_set():
                                if end := self.tick(held):
                                    return end
                                trouble = 0
                                stop.wait(self._options.every_s)
                            break
                    if not standing_by:
                        standing_by = True
                        self._say(
                            f"another process feeds job {self._job.name} already: {self._other()}; standing by"
                        )
                    stop.wait(self._options.every_s)
                except (ServiceError, ConflictError) as error:
                    trouble += 1
                    shortest, longest = _TROUBLE_PAUSE_S
                    pause = min(longest, shortest * 2.0 ** min(trouble - 1, 10))
                    logger.error("{}; going on in {:.0f} s", error, pause)
                    stop.wait(pause)
        finally:
            self._cloud.close()
        return FeederEnd.STOPPED

    def once(self) -> FeederEnd | None:
        """Feed the job once; None: done.

        Raises:
            ConflictError: another process feeds it.
        """
        with if_free(
            self._session.database, (FEEDING, self._job.id), f"feeding job {self._job.name}"
        ) as held:
            if held is None:
                raise ConflictError(f"another process feeds job {self._job.name} already: {self._other()}")
            try:
                return self.tick(held)
            finally:
                self._cloud.close()

    def tick(self, held: Held) -> FeederEnd | None:
        """Look once: send what there is room for, and now and then publish the backlog."""
        session, job = self._session, self._job
        with session.database.connection() as connection:
            held.confirm(connection)
            try:
                self._job = job = jobs.get(connection, job.id)
            except NotFoundError:
                return FeederEnd.DELETED
            if not feeding.beat(connection, job.id, self._by):
                return FeederEnd.TAKEN_AWAY
            bound = inputs.bound(connection, job.id)
        if job.status is JobStatus.ACTIVE and self._spent():
            return None
        if job.status is not self._status:
            if job.status is not JobStatus.ACTIVE:
                self._say(f"the job is {job.status.value}: sending nothing (bec jobs resume {job.name})")
            elif self._status is not None:
                self._say("the job is active again")
            self._status = job.status
        now = time.monotonic()
        publishing = self._published_at is None or now - self._published_at >= self._options.publish_every_s
        if job.status is JobStatus.ACTIVE:
            notice(session, job)
            if publishing and bound:  # of a job without inputs nothing is blocked, and no store is needed
                release(
                    session.database, session.queue, job, sources=session.sources, store=session.artifacts
                )
            empty = self._emptiness.look(self._queue.stats())
            if sent := sweep(session.database, self._queue, job, queue_was_empty=empty):
                self._emptiness.something_came()
                logger.info("sent {} messages", sent)
        if publishing:
            self._publish()
            self._published_at = now
        return None

    def _spent(self) -> bool:
        """Pause the job if it has cost what it may: its workers finish what they have."""
        budget = self._options.budget
        if budget is None:
            return False
        with self._session.database.connection() as connection:
            reason = budget.spent(statistics.worker_seconds(connection, self._job.id))
            if reason is None or not jobs.pull_brake(
                connection, self._job.id, reason, judged_from=jobs.judged_from(connection, self._job.id)
            ):
                return False
        logger.critical("the feeder paused the job: {}", reason)
        return True

    def _publish(self) -> None:
        """Say the backlog; CloudWatch's trouble stops no feeding."""
        with self._session.database.connection() as connection:
            found = backlog(connection, self._job.id)
            over = left.left(connection, self._job.id).over
        logger.info("{}", _in_words(found))
        if not self._options.metrics:
            return
        try:
            self._cloud.make(publish(self._job, found, over=over))
        except (ServiceError, ConflictError) as error:
            logger.warning("the backlog could not be published: {}", error)

    def _other(self) -> str:
        row = feeder_of(self._session, self._job)
        return row.by if row and row.by else "not heard of yet"


def _in_words(found: Backlog) -> str:
    return (
        f"{found.waiting:,} volumes wait, {found.running:,} run, {found.blocked:,} are blocked;"
        f" {found.live_workers:,} live workers"
    )
