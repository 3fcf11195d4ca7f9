"""Opening a worker: the composition root. What is wrong with job, plugin, store or queue is said here."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from loguru import logger

from bec_core.artifacts import probe, recipe_of
from bec_core.db import Database, inputs, left, recipes, workers
from bec_core.errors import BecError, ConflictError, JobGone, PluginError, ServiceError
from bec_core.job import Ingredients, JobType, JobWorker, WorkerSetup, ingredients_of
from bec_core.job_config import structure_job
from bec_core.models import Job
from bec_core.observer import WorkerObserver
from bec_core.pages.pools import PagePools
from bec_core.plugins import load_object
from bec_core.queues.policy import trouble as policy_trouble
from bec_core.resources import ResourceFinder
from bec_core.settings import plugin_settings
from bec_core.worker import deaths, identity
from bec_core.worker.heartbeat import Heartbeat
from bec_core.worker.hold import Keeper
from bec_core.worker.life import Life
from bec_core.worker.observer import Watchers
from bec_core.worker.options import WorkerOptions
from bec_core.worker.parts import PartsFlusher
from bec_core.worker.process import STUCK_AFTER_S, BECWorker
from bec_core.worker.workplace import LoadedJob, LoadedWorker, Services, Workplace

if TYPE_CHECKING:
    from bec_core.ec2.notices import Notice
    from bec_core.ec2.watch import InstanceWatch

HURRIED_S = 5.0
"""After a notice finished pages are kept about so often."""

_BEFORE_THE_LIMIT = 1  # so many deliveries before the queue's own limit a message is replaced by a copy


@contextmanager
def open_worker(
    *,
    job: Job,
    job_type: JobType,
    services: Services,
    options: WorkerOptions,
    name: str,
    finder: ResourceFinder | None = None,
    loaded: LoadedWorker | None = None,
    observers: Sequence[WorkerObserver] = (),
    life: Life | None = None,
    instance: InstanceWatch | None = None,
) -> Iterator[BECWorker]:
    """Build a worker for a job, register it, and on leaving close everything and mark it as stopped.

    ``loaded`` is the job's worker if it was loaded before (by the job's config); then its loader closes it.
    ``instance`` tells it that the EC2 instance that it runs on will be taken back.
    ``finder`` gives it its resources and the environment's variables; default: there are none.
    ``life`` is told what its threads do.

    Raises:
        JobConfigError: the job's config does not fit its plugin.
        PluginError: the plugin's worker can't be imported or built.
        SettingsError: the store takes no conditional writes, a resource is missing or another one, or the job type's
            own settings are bad.
        ConflictError: a live worker of the job has another model, or calculates in another arithmetic.
        JobGone: the job was deleted.
    """
    services.database.allow(options.connections)
    # two of one name that start at once must not disturb each other's probe
    for warning in probe(services.store, key=f".bec/probe/{name}-{os.getpid()}"):
        logger.warning("{}", warning)
    if problem := policy_trouble(services.queue, services.dead_letters):
        logger.warning("{}", problem)
    with ExitStack() as stack:
        if instance is not None:
            stack.callback(instance.close)  # when all else has ended: then the instance may go
        said = _said_by_others(services.database, job)
        if loaded is None or _calculates_otherwise(loaded, said):
            loaded = load_worker(job.config, job_type, options, finder or ResourceFinder(), said)
            stack.callback(close_worker, loaded)
        ready = LoadedJob.of(loaded, job)
        deaths.take_over(
            services.database, services.queue, job_id=job.id, max_attempts=ready.runtime.max_attempts
        )
        worker_id = _register(services.database, ready, name, options)
        stack.callback(_mark_stopped, services.database, worker_id)
        keeper = Keeper(
            services.database,
            services.queue,
            lease_s=options.lease_s,
            stall_timeout_s=options.stall_timeout_s,
            stuck_after_s=STUCK_AFTER_S,
        )
        pools = PagePools(options.job_options.get("threads"))
        stack.callback(pools.close)
        place = Workplace(services, ready, worker_id, options, keeper, Watchers(observers), pools)
        heartbeat = Heartbeat(
            services.database, worker_id=worker_id, job=job, every_s=options.heartbeat_s, held=keeper.held
        )
        keeper.start()
        stack.callback(keeper.close)
        flusher = PartsFlusher(keeper.held)
        flusher.start()
        stack.callback(flusher.close)
        heartbeat.start()
        stack.callback(heartbeat.close)
        worker = BECWorker(place, heartbeat, renew_at=_renew_at(services), life=life)
        if instance is not None:
            instance.start(
                busy=lambda: bool(keeper.held()),
                on_notice=lambda notice, ends: _heed(worker, flusher, notice, ends=ends),
            )
        yield worker


def _heed(worker: BECWorker, flusher: PartsFlusher, notice: Notice, *, ends: bool) -> None:
    """The instance goes, or may go: keep what is finished at once, and (``ends``) take nothing more."""
    flusher.hurry(HURRIED_S)
    if ends:
        worker.stop(within_s=notice.within_s(datetime.now(UTC)))


def _renew_at(services: Services) -> int | None:
    """From which delivery on a message is replaced by a copy, lest the queue itself set it aside."""
    limit = services.queue.delivery_limit()
    return None if limit is None else max(1, limit - _BEFORE_THE_LIMIT)


def load_worker(
    values: Mapping[str, Any],
    job_type: JobType,
    options: WorkerOptions,
    finder: ResourceFinder,
    declared_by_others: Sequence[Ingredients] = (),
) -> LoadedWorker:
    """The plugin's worker for a job of this config; whatever comes out of the plugin is said to be its.

    ``declared_by_others`` is what the job's workers declared, the newest first.
    """
    config, runtime = structure_job(values, job_type)
    setup = WorkerSetup(
        config=config,
        concurrency=options.most_at_once,
        options=options.job_options,
        resources=finder.find(job_type, runtime.resources),
        declared=tuple(resource.name for resource in job_type.resources),
        settings=plugin_settings(finder.environment, job_type),
        declared_by_others=tuple(declared_by_others),
    )
    what = f"the worker of job type {job_type.name} ({job_type.worker})"
    try:
        worker: JobWorker = load_object(job_type.worker)(setup)
        recipe = recipe_of(job_type, config, ingredients_of(worker, setup.resources))
    except (BecError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PluginError(f"{what} could not be built: {type(error).__name__}: {error}") from error
    return LoadedWorker(job_type, config, runtime, worker, recipe)


def close_worker(loaded: LoadedWorker) -> None:
    """Let the job release what it holds; what goes wrong there is said, and fails nothing."""
    try:
        loaded.worker.close()
    except BaseException as error:  # noqa: BLE001 - a job may raise anything, sys.exit() included; its work is done
        logger.opt(exception=error).error("closing the worker of {} failed: {}", loaded.type.name, error)


def _calculates_otherwise(loaded: LoadedWorker, said: Sequence[Ingredients]) -> bool:
    """Whether what was loaded before anybody could be asked has not the arithmetic that the job's workers have."""
    contents = loaded.recipe.contents
    with_them = [one for one in said if dict(one.resources) == contents["resources"]]
    return bool(with_them) and with_them[0].arithmetic != contents["arithmetic"]


def _said_by_others(database: Database, job: Job) -> list[Ingredients]:
    """What the job's workers have declared, the newest first."""
    with database.connection() as connection:
        return [Ingredients(*declared) for declared in recipes.ingredients(connection, job.id)]


def _register(database: Database, loaded: LoadedJob, name: str, options: WorkerOptions) -> int:
    """The worker's row, and by what it works; refused if a live worker of the job has another model or arithmetic."""
    job_id = loaded.job.id
    with database.connection() as connection:
        if left.job_status(connection, job_id) is None:
            raise JobGone(f"job {loaded.job.name} was deleted")
        known = {one.name for one in inputs.bound(connection, job_id)}
        for one in loaded.type.inputs:
            if one.name not in known:  # the plugin has got an input since the job was made
                inputs.bind(connection, job_id, one.name, None, artifacts=one.artifacts)
                logger.warning(
                    "the input {} is bound to no job, so every volume is blocked: bec jobs update {} --input {}=JOB",
                    one.name, loaded.job.name, one.name,
                )  # fmt: skip
        ours = loaded.recipe.contents.get("resources", {})
        mine = loaded.recipe.contents.get("arithmetic", "")
        living = recipes.living_ingredients(connection, job_id, alive_s=workers.ALIVE_S)
        for worker, theirs, arithmetic in living:
            if dict(theirs) != dict(ours):
                raise ConflictError(
                    f"worker {worker} of job {loaded.job.name} works with {_said(theirs)}, this one has {_said(ours)}:"
                    " one job's results must come from one model; stop those workers first, or make a second job"
                )
            if arithmetic != mine:
                raise ConflictError(
                    f"worker {worker} of job {loaded.job.name} calculates in {arithmetic or 'no arithmetic it names'}, "
                    f"this one in {mine or 'none it names'}: one job's results must come from one arithmetic; "
                    "start it again, and it follows if it can; or stop those workers first"
                )
        worker_id = workers.register(
            connection,
            name=name,
            hostname=socket.gethostname(),
            job_id=job_id,
            process=identity.own_token(),
            tags=options.tags,
            recipe=loaded.recipe.hash,
        )
        recipes.declare(connection, job_id, loaded.recipe.hash, loaded.recipe.contents)
    return worker_id


def _said(resources: object) -> str:
    if not isinstance(resources, dict) or not resources:
        return "no model"
    return ", ".join(f"{name} {str(digest)[:12]}" for name, digest in sorted(resources.items()))


def _mark_stopped(database: Database, worker_id: int) -> None:
    try:
        with database.connection() as connection:
            workers.stop(connection, worker_id)
    except ServiceError as error:
        logger.warning("could not record that the worker stopped: {}", error)
