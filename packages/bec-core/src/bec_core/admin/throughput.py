"""How a job went until now: pages by stretches of time, and the volumes that took longest."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.db.reads import throughput
from bec_core.db.reads.throughput import SlowVolume, Stretch
from bec_core.models import Job

__all__ = ["SLOWEST_OF", "SlowVolume", "Span", "Stretch", "Throughput", "slowest_volumes", "throughput_of"]

SLOWEST_OF = 1000
"""The slowest are looked for among so many volumes done last, which :mod:`~bec_core.admin.statistics` averages."""


class Span(StrEnum):
    """How far back one looks."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_STRETCHES = {
    Span.HOUR: (120.0, 30), Span.DAY: (1800.0, 48), Span.WEEK: (3 * 3600.0, 56), Span.MONTH: (12 * 3600.0, 60),
}  # fmt: skip


@frozen
class Throughput:
    """What was done in the latest stretches of ``stretch_s`` seconds each, the oldest first."""

    span: Span
    stretch_s: float
    stretches: tuple[Stretch, ...]

    @property
    def pages_per_s(self) -> tuple[float, ...]:
        """The pages per second of each."""
        return tuple(one.pages / self.stretch_s for one in self.stretches)


def throughput_of(session: Session, job: Job, span: Span) -> Throughput:
    """What the job did over this span."""
    stretch_s, number = _STRETCHES[span]
    with session.database.reading() as connection:
        found = throughput.stretches(connection, job.id, stretch_s=stretch_s, number=number)
    return Throughput(span, stretch_s, tuple(found))


def slowest_volumes(session: Session, job: Job, *, limit: int) -> list[SlowVolume]:
    """The slowest of the volumes done last."""
    with session.database.reading() as connection:
        return throughput.slowest(connection, job.id, latest=SLOWEST_OF, limit=limit)
