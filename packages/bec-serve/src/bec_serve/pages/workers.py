"""The workers: what each does, and which are gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from bec_core.admin.workers import STATES
from bec_serve import readings
from bec_serve.routing import Page, Values
from bec_serve.serving import Serving

_STOPPED = 50


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """All workers, or those of one job; what needs a look first."""
    name = query.get("job")
    job = await readings.job_named(serving, name) if name else None
    standing, stopped = await asyncio.gather(
        readings.workers(serving, job), readings.stopped_workers(serving, job)
    )
    return {
        "at": datetime.now(UTC),
        "of_job": job.name if job else None,
        "workers": sorted(standing, key=lambda view: (STATES.index(view.state), view.row.name)),
        "states": Counter(view.state for view in standing),
        "pages_per_s": sum(view.pages_per_s or 0.0 for view in standing),
        "stopped": stopped[:_STOPPED],
    }


PAGE = Page("/workers", "workers.html", read, live=True)
