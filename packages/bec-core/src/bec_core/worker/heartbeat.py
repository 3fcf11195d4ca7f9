"""The worker's row: it lives, what it does; and the job's row: is it paused?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from loguru import logger

from bec_core.db import Database, jobs, workers
from bec_core.errors import DatabaseUnavailable, NotFoundError
from bec_core.models import Job, JobStatus
from bec_core.worker.hold import HeldTask


class Heartbeat:
    """One thread that tells the database that the worker lives, and watches the job's status."""

    def __init__(
        self,
        database: Database,
        *,
        worker_id: int,
        job: Job,
        every_s: float,
        held: Callable[[], list[HeldTask]],
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._job = job
        self._every_s = every_s
        self._held = held
        self._status: JobStatus | None = job.status
        self._revision = job.config_revision
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bec-heartbeat", daemon=True)

    @property
    def job_status(self) -> JobStatus | None:
        """The job's status when last seen; None: it was deleted."""
        return self._status

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            try:
                self.beat()
            except DatabaseUnavailable as error:
                logger.warning("no heartbeat now: {}", error)
            except Exception:  # noqa: BLE001 - a worker without its heartbeat would be taken for dead
                logger.exception("the heartbeat met something unforeseen")

    def beat(self) -> None:
        """Write the worker's row and read the job's."""
        with self._database.connection() as connection:
            workers.heartbeat(connection, self._worker_id, [_activity(task) for task in self._held()])
            try:
                job = jobs.get(connection, self._job.id)
            except NotFoundError:
                self._status = None
                return
        if job.status is not self._status:
            logger.info("the job is {} now", job.status.value)
        self._status = job.status
        if job.config_revision != self._revision:
            self._revision = job.config_revision
            logger.warning(
                "the job's config has changed (revision {}); this worker keeps revision {} until it is restarted",
                job.config_revision,
                self._job.config_revision,
            )


def _activity(task: HeldTask) -> dict[str, Any]:
    return {
        "task_id": task.claim.task_id,
        "volume": str(task.volume.ref),
        "attempt": task.claim.attempt,
        "pages_done": task.pages_done,
        "pages_total": len(task.volume.pages),
        "pages_resumed": task.pages_resumed,
        "seconds": round(time.monotonic() - task.started, 1),
    }
