"""Two jobs of one type side by side: their figures, and the volumes that differ most."""

from __future__ import annotations

from collections.abc import Mapping

from bec_core.admin.comparing import ComparedJobs, compare_jobs
from bec_core.admin.metrics import declared
from bec_serve import readings
from bec_serve.routing import Page, Values
from bec_serve.serving import Serving

_FRESH_S = 30.0  # all volumes of both are read for it


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """The comparison, or the jobs that can be compared with this one."""
    after = await readings.job_named(serving, path["name"])
    alike = [job for job in await readings.jobs(serving) if job.type == after.type and job.id != after.id]
    values: dict[str, object] = {"job": after, "alike": alike, "before": None}
    if not query.get("with"):
        return values
    before = await readings.job_named(serving, query["with"])
    by = query.get("by") or None
    found: ComparedJobs = await serving.reads.get(
        ("compare", before.id, after.id, by),
        lambda: compare_jobs(serving.session, before, after, by=by),
        fresh_s=_FRESH_S,
    )
    metrics = {metric.name: metric for metric in declared(serving.session, after)}
    chosen = metrics.get(found.by) if found.by else None
    return values | {
        "before": before,
        "found": found,
        "chosen": chosen,
        "changes": [
            (one, one.metric.shown(one.before), one.metric.shown(one.after),
             one.metric.shown(one.change, signed=True))
            for one in found.changes
        ],
        "most": [
            (one, chosen.shown(one.before[chosen.name]), chosen.shown(one.after[chosen.name]),
             None if chosen.labels else chosen.shown(one.difference, signed=True))
            for one in found.most
            if chosen is not None
        ],
    }  # fmt: skip


PAGE = Page("/jobs/{name}/compare", "compare.html", read)
