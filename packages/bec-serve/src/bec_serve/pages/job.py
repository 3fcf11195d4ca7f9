"""One job: how it stands and went, what fails, what is slow, who works on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bec_core.admin.throughput import SLOWEST_OF, Span, Throughput
from bec_serve import readings
from bec_serve.charts import Chart, chart
from bec_serve.routing import Page, Values
from bec_serve.serving import Serving
from bec_serve.states import state, verdict
from bec_serve.templating import figure

_GROUPS, _SLOWEST = 8, 10


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """Everything on the page."""
    job = await readings.job_named(serving, path["name"])
    span = next((one for one in Span if one == query.get("span")), Span.DAY)
    health, figures, around, throughput = await asyncio.gather(
        readings.health(serving),
        readings.figures(serving, job),
        readings.surroundings(serving, job),
        readings.throughput(serving, job, span),
    )
    groups, workers, slowest = await asyncio.gather(
        readings.failure_groups_of(serving, job, limit=_GROUPS),
        readings.workers(serving, job),
        readings.slowest(serving, job, limit=_SLOWEST),
    )
    own = [one for one in health if one.job.id == job.id]
    troubles = tuple(trouble for one in own for trouble in one.troubles)
    now = datetime.now(UTC)
    return {
        "at": now,
        "job": job,
        "state": state(job, figures.statistics.progress, troubles),
        "verdict": verdict(own),
        "figures": figures,
        "around": around,
        "span": span,
        "spans": list(Span),
        "throughput": throughput,
        "chart": drawn(throughput, now),
        "job_groups": [(job, group) for group in groups],
        "workers": workers,
        "slowest": slowest,
        "slowest_of": SLOWEST_OF,
        "priced": serving.hourly_price is not None,
    }


def drawn(throughput: Throughput, now: datetime) -> Chart:
    """Pages per second over time."""
    number = len(throughput.stretches)
    words = [
        f"{(now - timedelta(seconds=throughput.stretch_s * (number - place))).astimezone():%d %b %H:%M}:"
        f" {figure(rate, 2)} pages/s, {one.volumes:,} done, {one.failed:,} failed"
        for place, (rate, one) in enumerate(zip(throughput.pages_per_s, throughput.stretches, strict=True))
    ]
    return chart(throughput.pages_per_s, words)


PAGE = Page("/jobs/{name}", "job.html", read, live=True)
