"""Opening a worker for a job with the services that the settings name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import evolve

from bec_core.admin.instance import instance_watch
from bec_core.admin.session import Session
from bec_core.errors import SettingsError
from bec_core.models import Job
from bec_core.resources import NamedResources, ResourceCache, ResourceFinder
from bec_core.worker import BECWorker, Life, Services, WorkerObserver, WorkerOptions, open_worker
from bec_core.worker.aside import watched_by
from bec_core.worker.opening import close_worker, load_worker
from bec_core.worker.workplace import LoadedWorker

if TYPE_CHECKING:
    from bec_core.queues import TaskQueue


@contextmanager
def loaded_worker(
    session: Session,
    job_type: str,
    config: Mapping[str, Any],
    options: WorkerOptions,
    *,
    resources: NamedResources | None = None,
) -> Iterator[LoadedWorker]:
    """The worker of a job type, loaded for jobs of this config, before there is such a job; closed on leaving.

    Raises:
        PluginError, JobConfigError, SettingsError: as :func:`open_worker` does.
    """
    found = load_worker(config, session.plugins.job_type(job_type), options, _finder(session, resources))
    try:
        yield found
    finally:
        close_worker(found)


@contextmanager
def worker_for(
    session: Session,
    job: Job,
    options: WorkerOptions,
    *,
    observers: Sequence[WorkerObserver] = (),
    queues: tuple[TaskQueue, TaskQueue] | None = None,
    resources: NamedResources | None = None,
    loaded: LoadedWorker | None = None,
    for_observers: Mapping[str, str] | None = None,
    life: Life | None = None,
) -> Iterator[BECWorker]:
    """A worker of ``job``; closed on leaving.

    ``queues``: in place of the job's queue and dead-letter queue. ``resources``: what the command line names.
    ``loaded``: the job's worker, where it was loaded before. It is watched by ``observers``, and by those that plugins
    bring: the environment, and over it ``for_observers``, has their settings. ``life`` is told what its threads do.

    Raises:
        SettingsError: the folder for large artifacts is none; and what :func:`open_worker` raises.
    """
    scratch = session.settings.scratch
    if scratch is not None and not os.access(scratch, os.W_OK | os.X_OK):
        raise SettingsError(f"BEC_SCRATCH={scratch} is no folder that can be written")
    options = evolve(options, scratch=options.scratch or scratch)
    tasks, dead_letters = queues or (session.queue(job.queue_url), session.queue(job.dlq_url))
    services = Services(
        database=session.database,
        queue=tasks,
        dead_letters=dead_letters,
        sources=session.sources,
        store=session.artifacts,
        open_queue=session.queue,
    )
    environment = {**session.settings.environment, **(for_observers or {})}
    found = session.plugins.observer_types.values()
    with (
        watched_by(found, environment, job=job, worker=session.settings.worker_name) as watching,
        open_worker(
            job=job,
            job_type=session.plugins.job_type(job.type),
            services=services,
            options=options,
            name=session.settings.worker_name,
            finder=_finder(session, resources),
            loaded=loaded,
            observers=[*observers, *watching],
            life=life,
            instance=instance_watch(session.settings),
        ) as worker,
    ):
        yield worker


def _finder(session: Session, resources: NamedResources | None) -> ResourceFinder:
    return ResourceFinder(
        ResourceCache(session.settings.home / "cache", session.s3),
        resources or NamedResources(),
        session.settings.environment,
    )
