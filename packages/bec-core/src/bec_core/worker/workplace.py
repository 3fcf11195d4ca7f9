"""What the attempts of a worker share: services, the job as it was loaded, who we are, and who watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from bec_core.archive.sources import Sources
from bec_core.artifacts import Recipe
from bec_core.db import Database
from bec_core.job import JobType, JobWorker
from bec_core.job_config import RuntimeConfig
from bec_core.models import Job, Volume
from bec_core.pages.pools import PagePools
from bec_core.queues.base import TaskQueue
from bec_core.storage import Store
from bec_core.worker.hold import Keeper
from bec_core.worker.observer import Watchers
from bec_core.worker.options import WorkerOptions
from bec_core.worker.parts import PartsFolder


@frozen
class Services:
    """What a worker works with; all opened and closed by the caller.

    ``open_queue`` opens another job's queue by its URL: for the messages of what a finished task releases.
    """

    database: Database = field(repr=False)
    queue: TaskQueue = field(repr=False)
    dead_letters: TaskQueue = field(repr=False)
    sources: Sources = field(repr=False)
    store: Store = field(repr=False)
    open_queue: Callable[[str], TaskQueue] = field(repr=False)


@frozen
class LoadedWorker:
    """A job type's worker, ready to run: by which type, its config as both see it, what it works by."""

    type: JobType
    config: Any
    runtime: RuntimeConfig
    worker: JobWorker = field(repr=False)
    recipe: Recipe


@frozen
class LoadedJob(LoadedWorker):
    """The worker with the job's row that it runs."""

    job: Job

    @classmethod
    def of(cls, loaded: LoadedWorker, job: Job) -> LoadedJob:
        """The worker for this job."""
        return cls(loaded.type, loaded.config, loaded.runtime, loaded.worker, loaded.recipe, job)


@frozen
class Workplace:
    """Everything that an attempt needs."""

    services: Services
    loaded: LoadedJob
    worker_id: int
    options: WorkerOptions
    keeper: Keeper = field(repr=False)
    watchers: Watchers = field(repr=False)
    pools: PagePools = field(repr=False, factory=PagePools)

    def parts_of(self, volume: Volume) -> PartsFolder:
        """Where finished pages of an unfinished volume are kept."""
        return PartsFolder.of(self.services.store, self.job.name, volume)

    @property
    def database(self) -> Database:
        """The database."""
        return self.services.database

    @property
    def job(self) -> Job:
        """The job's row as it was when the worker loaded it."""
        return self.loaded.job
