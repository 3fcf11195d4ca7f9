"""Failures by their causes, of all jobs; and those of one cause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from bec_core.errors import NotFoundError
from bec_serve import readings
from bec_serve.routing import Page, Values
from bec_serve.serving import Serving

_GROUPS, _TASKS = 50, 100


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """The causes, job by job where that is asked for."""
    name = query.get("job")
    jobs = [await readings.job_named(serving, name)] if name else await readings.jobs(serving)
    found = []
    for job in jobs:
        groups = await readings.failure_groups_of(serving, job, limit=_GROUPS)
        found += [(job, group) for group in groups]
    found.sort(key=lambda one: -one[1].tasks)
    return {"at": datetime.now(UTC), "groups": found[:_GROUPS], "of_job": name}


async def read_group(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """The failures of one cause."""
    job = await readings.job_named(serving, path["name"])
    fingerprint = str(path["fingerprint"])
    groups = await readings.failure_groups_of(serving, job, limit=1000)
    group = next((one for one in groups if one.fingerprint == fingerprint), None)
    if group is None:
        raise NotFoundError(
            f"no task of job {job.name} stands as failed by the cause {fingerprint[:60]}: they were queued again, or"
            " are done since"
        )
    tasks = await readings.failed_by(serving, job, fingerprint, limit=_TASKS)
    return {"at": datetime.now(UTC), "job": job, "group": group, "tasks": tasks}


PAGE = Page("/failures", "failures.html", read, live=True)
GROUP = Page("/jobs/{name}/failures/{fingerprint}", "failure_group.html", read_group, live=True)
