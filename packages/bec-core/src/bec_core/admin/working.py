"""Opening a worker for a job with the services that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bec_core.admin.session import Session
from bec_core.models import Job
from bec_core.worker import BECWorker, WorkerObserver, WorkerOptions, open_worker
from bec_core.worker.loop import Services


@contextmanager
def worker_for(
    session: Session, job: Job, options: WorkerOptions, *, observer: WorkerObserver | None = None
) -> Iterator[BECWorker]:
    """A worker of ``job``; closed on leaving."""
    services = Services(
        database=session.database,
        queue=session.queue(job.queue_url),
        dead_letters=session.queue(job.dlq_url),
        sources=session.sources,
        store=session.artifacts,
    )
    with open_worker(
        job=job,
        job_type=session.plugins.job_type(job.type),
        services=services,
        options=options,
        name=session.settings.worker_name,
        model_path=session.settings.model_path,
        observer=observer,
    ) as worker:
        yield worker
