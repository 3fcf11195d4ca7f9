"""What the pages read, each thing once for all viewers: by what the command line reads, so that the figures agree."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from attrs import frozen

from bec_core.admin.actions import Action, latest_actions
from bec_core.admin.binding import BoundInput, all_bound_inputs, bound_inputs, readers_of
from bec_core.admin.canary import Canary, canary_of
from bec_core.admin.estimate import Estimate, estimate_left
from bec_core.admin.failures import (
    FailedTask,
    FailureGroup,
    PageErrors,
    failed_task,
    failed_tasks,
    failure_groups,
    page_errors_of,
)
from bec_core.admin.health import JobHealth, Thresholds, healths, open_jobs
from bec_core.admin.jobs import find_job, list_jobs
from bec_core.admin.statistics import JobStatistics, job_statistics
from bec_core.admin.throughput import SlowVolume, Span, Throughput, slowest_volumes, throughput_of
from bec_core.admin.workers import (
    WorkerTotals,
    WorkerView,
    find_worker,
    list_workers,
    standing_workers,
    worker_totals,
)
from bec_core.models import Job
from bec_serve.serving import Serving

_SELDOM_S = 10.0
"""Health is judged as often as on the screen of ``bec top``."""

_WORKERS = 1000
_ACTIONS = 5


@frozen
class JobFigures:
    """How a job stands, and when it will be done."""

    statistics: JobStatistics
    estimate: Estimate | None


async def jobs(serving: Serving) -> list[Job]:
    """All jobs."""
    return await serving.reads.get("jobs", lambda: list_jobs(serving.session))


async def job_named(serving: Serving, name: str) -> Job:
    """The job of this name or id."""
    return await serving.reads.get(("job", name), lambda: find_job(serving.session, name))


async def health(serving: Serving) -> list[JobHealth]:
    """How each open job is, by the rules of ``bec health``."""
    session = serving.session
    return await serving.reads.get(
        "health", lambda: healths(session, open_jobs(session), Thresholds()), fresh_s=_SELDOM_S
    )


async def figures(serving: Serving, job: Job) -> JobFigures:
    """How a job stands."""

    def read() -> JobFigures:
        session = serving.session
        found = job_statistics(session, job, hourly_price=serving.hourly_price, with_metrics=False)
        return JobFigures(found, estimate_left(session, job, found.progress))

    return await serving.reads.get(("figures", job.id), read)


async def figures_of(serving: Serving, of: Sequence[Job]) -> Mapping[int, JobFigures]:
    """How these jobs stand, by their ids."""
    found = await asyncio.gather(*(figures(serving, job) for job in of))
    return {job.id: one for job, one in zip(of, found, strict=True)}


async def inputs_of_all(serving: Serving) -> Mapping[int, Sequence[BoundInput]]:
    """Which job reads which, by the readers' ids."""
    return await serving.reads.get("inputs", lambda: all_bound_inputs(serving.session))


async def workers(serving: Serving, job: Job | None = None) -> list[WorkerView]:
    """The workers that did not stop, of all jobs or of one."""
    key = ("workers", job.id if job else None)
    return await serving.reads.get(key, lambda: standing_workers(serving.session, job, limit=_WORKERS))


async def throughput(serving: Serving, job: Job, span: Span) -> Throughput:
    """What a job did over a span."""
    return await serving.reads.get(
        ("throughput", job.id, span), lambda: throughput_of(serving.session, job, span), fresh_s=_SELDOM_S
    )


async def slowest(serving: Serving, job: Job, *, limit: int) -> list[SlowVolume]:
    """The slowest of a job's volumes done last."""
    return await serving.reads.get(
        ("slowest", job.id, limit),
        lambda: slowest_volumes(serving.session, job, limit=limit),
        fresh_s=_SELDOM_S,
    )


async def failure_groups_of(serving: Serving, job: Job | None, *, limit: int) -> list[FailureGroup]:
    """The failures of a job, or of all, by their causes."""
    key = ("groups", job.id if job else None, limit)
    return await serving.reads.get(key, lambda: failure_groups(serving.session, job, limit=limit))


async def failed_by(serving: Serving, job: Job, fingerprint: str, *, limit: int) -> list[FailedTask]:
    """The tasks of a job that failed by one cause, the latest first."""
    return await serving.reads.get(
        ("failed", job.id, fingerprint, limit),
        lambda: failed_tasks(serving.session, job, fingerprint=fingerprint, limit=limit),
    )


async def failure(serving: Serving, task_id: int) -> PageErrors:
    """A task and its failed pages; these lie in the store if the task is done."""

    def read() -> PageErrors:
        return page_errors_of(serving.session, failed_task(serving.session, task_id))

    return await serving.files.get(("failure", task_id), read)


@frozen
class JobSurroundings:
    """What stands around a job's figures: its canary, what it reads and is read by, what was done to it."""

    canary: Canary | None
    inputs: tuple[BoundInput, ...]
    readers: tuple[str, ...]
    actions: tuple[Action, ...]


async def surroundings(serving: Serving, job: Job) -> JobSurroundings:
    """What stands around a job."""

    def read() -> JobSurroundings:
        session = serving.session
        return JobSurroundings(
            canary_of(session, job),
            tuple(bound_inputs(session, job)),
            tuple(readers_of(session, job)),
            tuple(latest_actions(session, job, limit=_ACTIONS)),
        )

    return await serving.reads.get(("surroundings", job.id), read)


async def stopped_workers(serving: Serving, job: Job | None) -> list[WorkerView]:
    """The workers that stopped within a day."""

    def read() -> list[WorkerView]:
        found = list_workers(serving.session, job, seen_within_s=86400.0, limit=_WORKERS)
        return [one for one in found if one.state == "stopped"]

    return await serving.reads.get(("stopped", job.id if job else None), read, fresh_s=_SELDOM_S)


@frozen
class WorkerPast:
    """A worker and what it has done."""

    view: WorkerView
    totals: WorkerTotals


async def worker(serving: Serving, worker_id: int) -> WorkerPast:
    """A worker."""

    def read() -> WorkerPast:
        session = serving.session
        return WorkerPast(find_worker(session, worker_id), worker_totals(session, worker_id))

    return await serving.reads.get(("worker", worker_id), read)
