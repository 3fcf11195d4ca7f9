"""The first page: whether to get up, the chain, every job."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from bec_core.admin.binding import is_folder_run
from bec_core.models import JobStatus
from bec_serve import readings
from bec_serve.chain import depth, picture
from bec_serve.routing import Page, Values
from bec_serve.serving import Serving
from bec_serve.states import state, verdict

_OPEN = (JobStatus.ACTIVE, JobStatus.PAUSED)
_MOST = 60
"""So many open jobs are shown with their figures."""


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """Everything on the page."""
    jobs, health, inputs, workers = await asyncio.gather(
        readings.jobs(serving), readings.health(serving), readings.inputs_of_all(serving), readings.workers(serving)
    )  # fmt: skip
    by_id = {job.id: job for job in jobs}
    troubles = {one.job.id: one.troubles for one in health}
    reads_all = {
        reader: [one.job_id for one in those if one.job_id is not None] for reader, those in inputs.items()
    }
    shown = sorted(
        (job for job in jobs if job.status in _OPEN),
        key=lambda job: (
            not troubles.get(job.id),
            is_folder_run(job.name),
            depth(job.id, reads_all),
            job.name,
        ),
    )
    read_by_shown = {
        one.job_id for job in shown for one in inputs.get(job.id, ()) if one.job_id is not None
    }  # of a chain all is drawn, also what is completed
    with_figures = [*shown[:_MOST], *(by_id[one] for one in read_by_shown if by_id[one].status not in _OPEN)]
    figures = await readings.figures_of(serving, with_figures)
    reads = {job.id: [one for one in reads_all.get(job.id, ()) if one in figures] for job in with_figures}
    return {
        "at": datetime.now(UTC),
        "verdict": verdict(health),
        "jobs": [job for job in shown if job.id in figures],
        "by_id": by_id,
        "more": len(shown) - sum(job.id in figures for job in shown),
        "over": [job for job in jobs if job.status not in _OPEN],
        "figures": figures,
        "states": {
            job.id: state(job, figures[job.id].statistics.progress, troubles.get(job.id, ()))
            for job in with_figures
        },
        "reads": {
            job.id: [one.job_name for one in inputs.get(job.id, ()) if one.job_name] for job in with_figures
        },
        "pictures": [one for down in (False, True) if (one := picture(reads, down=down))],
        "workers": workers,
        "priced": serving.hourly_price is not None,
    }


PAGE = Page("/", "overview.html", read, live=True)
