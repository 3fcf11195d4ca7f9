"""The brake: pauses a job whose volumes fail by one cause, or whose results are not what they were.

A bad model or a broken release fails, or spoils, volume after volume while nobody looks. Each worker judges the job
when one of its volumes has ended; the first to see that something is wrong pauses it, says why in the job's row, and
``bec jobs resume`` goes on: what ended before then is of no account any more.

Faults of this program and services in trouble don't count: workers meet those by waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from attrs import frozen
from loguru import logger

from bec_core.db import jobs
from bec_core.db.reads import brake
from bec_core.db.reads.brake import Drift, Ended
from bec_core.errors import (
    InputChanged,
    LeaseLost,
    PagesMayPass,
    RuntimeFault,
    ServiceError,
    ShutdownRequested,
)
from bec_core.job import Metric
from bec_core.job_config import RuntimeConfig
from bec_core.words import count
from bec_core.worker.workplace import Workplace

_LOOK_EVERY_S = 1.0
PAST = 1000
"""So many volumes are the job's own past, at most."""
_MESSAGE = 200  # characters of an error's message in the reason


@frozen
class Limits:
    """When the brake is pulled: ``share`` of the ``volumes`` that ended last; fewer than half of these tell nothing."""

    share: float
    volumes: int

    @property
    def least(self) -> int:
        """How many volumes must have ended."""
        return max(1, self.volumes // 2)

    @classmethod
    def of(cls, runtime: RuntimeConfig) -> Limits:
        """As the job's config says."""
        return cls(runtime.brake_share, runtime.brake_volumes)


def one_cause(ended: Ended, limits: Limits) -> str | None:
    """Why to brake, if one cause failed too many of what ended last."""
    cause = ended.cause
    if cause is None or ended.volumes < limits.least or cause.volumes < limits.share * ended.volumes:
        return None
    message = cause.message.split("\n", 1)[0][:_MESSAGE]
    return (
        f"{cause.volumes} of the last {count(ended.volumes, 'volume')} failed by one cause, {cause.fingerprint}"
        f" ({cause.stage}: {cause.error_type}: {message})"
    )


def drifted(metric: Metric, seen: Drift, limits: Limits) -> str | None:
    """Why to brake, if a metric of what was done last differs too much from what was done before."""
    if metric.drift is None or seen.latest is None or seen.past is None:
        return None
    if min(seen.latest_volumes, seen.past_volumes) < limits.least:
        return None
    change = seen.latest - seen.past
    worse = {"lower": change, "higher": -change, None: abs(change)}[metric.better]
    if worse <= metric.drift:
        return None
    figure = ".1%" if metric.percent else ".4g"
    return (
        f"{metric.name} is {seen.latest:{figure}} over the last {count(seen.latest_volumes, 'volume')},"
        f" and was {seen.past:{figure}} over the {seen.past_volumes} before ({metric.doc.rstrip('.').lower()})"
    )


class Brake:
    """One worker's hand on the job's brake."""

    def __init__(self, place: Workplace) -> None:
        self._database = place.database
        self._job = place.job
        self._limits = Limits.of(place.loaded.runtime)
        self._metrics = [metric for metric in place.loaded.type.metrics if metric.drift is not None]
        # Whoever waits for the end of a run sees its failures, and would wait for ever.
        self._watched = place.options.until_drained or not place.options.by_ledger
        self._lock = threading.Lock()
        self._looked_at = -_LOOK_EVERY_S

    def look(self) -> bool:
        """Judge the job, unless that was done a moment ago; True if it was paused for it just now."""
        if self._watched or not self._limits.share or not self._due():
            return False
        with self._database.connection() as connection:
            seen = brake.ended(connection, self._job.id, latest=self._limits.volumes, nobodys=_NOBODYS)
            reason = one_cause(seen, self._limits)
            for metric in () if reason else self._metrics:
                assert metric.weight is not None
                moved = brake.drift(
                    connection,
                    self._job.id,
                    metric.name,
                    metric.weight,
                    latest=self._limits.volumes,
                    past=PAST,
                )
                reason = reason or drifted(metric, moved, self._limits)
            if reason is None or not jobs.pull_brake(
                connection, self._job.id, reason, judged_from=seen.judged_from
            ):
                return False
        logger.critical(
            "the brake paused the job: {}; look into it, then: bec jobs resume {}", reason, self._job.name
        )
        return True

    def _due(self) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._looked_at < _LOOK_EVERY_S:
                return False
            self._looked_at = now
            return True


def _names(kind: type[BaseException]) -> Iterator[str]:
    yield kind.__name__
    for one in kind.__subclasses__():
        yield from _names(one)


_NOBODYS = tuple(
    name
    for kind in (RuntimeFault, ServiceError, PagesMayPass, ShutdownRequested, LeaseLost, InputChanged)
    for name in _names(kind)
)
