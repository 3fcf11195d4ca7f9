"""Everything at a glance, looked at again and again without burdening the database.

Workers and paces are read at every look; what costs more (ledger, queues, errors) less often.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.admin.statistics import ALIVE_S
from bec_core.admin.workers import WorkerView
from bec_core.db import jobs
from bec_core.db.reads import overview, worker_list
from bec_core.db.reads.overview import LastError, RecentPace
from bec_core.errors import BecError
from bec_core.models import Job, JobStatus, QueueStats

_WINDOW_S = 300.0
_SELDOM_S = 10.0
_WORKERS = 200
_ERRORS = 8
_SEEN_S = 600.0  # a worker that died is shown for so long


@frozen
class JobLine:
    """A job on the screen; the queues' figures are None if they can't be had."""

    job: Job
    waiting: int
    running: int
    done: int
    failed: int
    blocked: int
    pages_per_s: float | None
    time_left_s: float | None
    queue: QueueStats | None
    dead_letters: QueueStats | None


@frozen
class Overview:
    """One look."""

    at: datetime
    jobs: tuple[JobLine, ...]
    workers: tuple[WorkerView, ...]
    errors: tuple[LastError, ...]


@frozen
class _Seldom:
    """What is read less often."""

    read_at: float
    jobs: tuple[Job, ...]
    counts: Mapping[int, Mapping[str, int]]
    queues: Mapping[str, QueueStats | None]
    errors: tuple[LastError, ...]


class Monitor:
    """Looks at everything, for as long as the session is open."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seldom: _Seldom | None = None

    def look(self) -> Overview:
        """How everything stands now."""
        if self._seldom is None or time.monotonic() - self._seldom.read_at > _SELDOM_S:
            self._seldom = self._read_seldom()
        seldom = self._seldom
        with self._session.database.reading() as connection:
            paces = overview.paces(connection, window_s=_WINDOW_S)
            rows = worker_list.workers(connection, None, seen_within_s=_SEEN_S, limit=_WORKERS)
        views = [WorkerView.of(row) for row in rows]
        shown = tuple(view for view in views if view.state != "stopped")
        lines = tuple(self._line(job, seldom, paces.get(job.id), shown) for job in seldom.jobs)
        return Overview(datetime.now(UTC), lines, shown, seldom.errors)

    def _read_seldom(self) -> _Seldom:
        with self._session.database.reading() as connection:
            open_jobs = [
                job for job in jobs.list_all(connection) if job.status in (JobStatus.ACTIVE, JobStatus.PAUSED)
            ]
            counts = overview.ledger_counts(connection)
            errors = overview.last_errors(connection, limit=_ERRORS)
        urls = [url for job in open_jobs for url in (job.queue_url, job.dlq_url)]
        queues = {url: self._stats(url) for url in dict.fromkeys(urls)}
        return _Seldom(time.monotonic(), tuple(open_jobs), counts, queues, tuple(errors))

    def _stats(self, url: str) -> QueueStats | None:
        try:
            return self._session.queue(url).stats()
        except BecError:
            return None  # one queue that can't be asked must not darken the whole screen

    def _line(
        self, job: Job, seldom: _Seldom, pace: RecentPace | None, views: tuple[WorkerView, ...]
    ) -> JobLine:
        counts = seldom.counts.get(job.id, {})
        alive = [view for view in views if view.row.job_id == job.id and view.row.heartbeat_s <= ALIVE_S]
        running = sum(len(view.row.activity) for view in alive)
        waiting = max(0, counts.get("waiting", 0) - running)
        rate = pace.pages / pace.seconds if pace and pace.seconds else None
        left = None
        if pace and rate and pace.tasks and alive:
            left = (waiting + running) * (pace.pages / pace.tasks) / rate
        return JobLine(
            job,
            waiting,
            running,
            counts.get("done", 0),
            counts.get("failed", 0),
            counts.get("blocked", 0),
            rate,
            left,
            seldom.queues.get(job.queue_url),
            seldom.queues.get(job.dlq_url),
        )
