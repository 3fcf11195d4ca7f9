"""Everything at a glance, looked at again and again without burdening the database.

Workers are read at every look; what costs more (troubles, progress, queues, errors) less often.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from attrs import field, frozen

from bec_core.admin.health import Thresholds, Trouble, healths, open_jobs
from bec_core.admin.session import Session
from bec_core.admin.statistics import Progress, job_progress
from bec_core.admin.workers import STATES, WorkerView, standing_workers
from bec_core.db.reads import overview, statistics
from bec_core.db.reads.overview import LastError
from bec_core.errors import BecError
from bec_core.models import Job, QueueStats

_SELDOM_S = 10.0
_WORKERS = 1000
_ERRORS = 20


@frozen
class JobLine:
    """A job on the screen, as its statistics have it; the queues' figures are None if they can't be had."""

    job: Job
    progress: Progress
    queue: QueueStats | None
    dead_letters: QueueStats | None


@frozen
class Overview:
    """One look."""

    at: datetime
    troubles: tuple[Trouble, ...]
    jobs: tuple[JobLine, ...]
    workers: tuple[WorkerView, ...]
    errors: tuple[LastError, ...]


@frozen
class Choice:
    """What is shown: of all jobs or of one; workers of some states (empty: of all), ordered so that those that need a
    look come first: by ``state``, ``job``, ``name``, ``heartbeat`` or ``speed``."""

    job: Job | None = None
    states: frozenset[str] = field(factory=frozenset)
    order: str = "state"


@frozen
class _Seldom:
    """What is read less often."""

    read_at: float
    troubles: tuple[Trouble, ...]
    jobs: tuple[JobLine, ...]
    errors: tuple[LastError, ...]


class Monitor:
    """Looks at everything (or at one job), for as long as the session is open."""

    def __init__(self, session: Session, choice: Choice | None = None) -> None:
        self._session = session
        self._choice = choice or Choice()
        self._seldom: _Seldom | None = None

    def look(self) -> Overview:
        """How everything stands now."""
        if self._seldom is None or time.monotonic() - self._seldom.read_at > _SELDOM_S:
            self._seldom = self._read_seldom()
        seldom, job = self._seldom, self._choice.job
        views = ordered(standing_workers(self._session, job, limit=_WORKERS), self._choice)
        return Overview(datetime.now(UTC), seldom.troubles, seldom.jobs, tuple(views), seldom.errors)

    def _read_seldom(self) -> _Seldom:
        chosen = self._choice.job
        shown = [job for job in open_jobs(self._session) if chosen is None or job.id == chosen.id]
        troubles = [one for found in healths(self._session, shown, Thresholds()) for one in found.troubles]
        progress = {}
        with self._session.database.reading() as connection:
            for job in shown:
                progress[job.id] = job_progress(connection, job, statistics.totals(connection, job.id))
            errors = overview.last_errors(connection, limit=_ERRORS, job_id=chosen.id if chosen else None)
        urls = [url for job in shown for url in (job.queue_url, job.dlq_url)]
        queues = {url: self._stats(url) for url in dict.fromkeys(urls)}
        lines = [JobLine(job, progress[job.id], queues[job.queue_url], queues[job.dlq_url]) for job in shown]
        return _Seldom(time.monotonic(), tuple(troubles), tuple(lines), tuple(errors))

    def _stats(self, url: str) -> QueueStats | None:
        try:
            return self._session.queue(url).stats()
        except BecError:
            return None  # one queue that can't be asked must not darken the whole screen


def ordered(views: Sequence[WorkerView], choice: Choice) -> list[WorkerView]:
    """The workers that are chosen, in the order that is chosen; of equals those with the oldest heartbeat first."""
    found = [view for view in views if not choice.states or view.state in choice.states]
    keys: dict[str, Callable[[WorkerView], int | float | str]] = {
        "state": lambda view: STATES.index(view.state),
        "job": lambda view: view.row.job_name or "",
        "name": lambda view: view.row.name,
        "heartbeat": lambda _: 0,
        "speed": lambda view: view.pages_per_s or 0.0,
    }
    return sorted(found, key=lambda view: (keys[choice.order](view), -view.row.heartbeat_s))
