"""What the pages read, each thing once for all viewers: by what the command line reads, so that the figures agree."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from attrs import frozen

from bec_core.admin.binding import BoundInput, all_bound_inputs
from bec_core.admin.estimate import Estimate, estimate_left
from bec_core.admin.health import JobHealth, Thresholds, healths, open_jobs
from bec_core.admin.jobs import find_job, list_jobs
from bec_core.admin.statistics import JobStatistics, job_statistics
from bec_core.admin.workers import WorkerView, standing_workers
from bec_core.models import Job
from bec_serve.serving import Serving

_SELDOM_S = 10.0
"""Health is judged as often as on the screen of ``bec top``."""

_WORKERS = 1000


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
