"""A sample of a job's pages to be marked, and the share of wrong pages that its marks tell."""

from __future__ import annotations

from collections.abc import Mapping

from bec_core import SettingsError
from bec_core.admin.sampling import Share, estimate, find_sample
from bec_core.errors import NotFoundError
from bec_serve import readings
from bec_serve.routing import Page, Values
from bec_serve.serving import Serving


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """The sample that is asked for, or the latest."""
    job = await readings.job_named(serving, path["name"])
    wanted = query.get("id", "")
    if wanted and not (wanted.isdecimal() and len(wanted) < 18):
        raise SettingsError(f"there is no sample {wanted!r}")
    sample_id = int(wanted) if wanted else None
    key = (job.id, sample_id)
    try:
        sample, pages = await serving.reads.get(
            ("sample", *key), lambda: find_sample(serving.session, job, sample_id)
        )
        told = await serving.reads.get(("estimate", *key), lambda: estimate(serving.session, job, sample_id))
    except NotFoundError:
        if wanted:
            raise
        return {"job": job, "sample": None}
    return {
        "job": job,
        "sample": sample,
        "pages": pages,
        "estimate": told,
        "shares": (("wrong", _said(told.wrong)), ("to be scanned again", _said(told.rescan))),
        "reach": f"{told.reach[0]:.1%} and {told.reach[1]:.1%}",
        "next": next((page for page in pages if page.judgement is None), None),
    }


def _said(share: Share) -> tuple[str, str]:
    """A share and its interval in words."""
    value = "unknown" if share.value is None else f"{100 * share.value:.1f} %"
    return value, f"95 %: {100 * share.low:.1f} to {100 * share.high:.1f} %"


PAGE = Page("/jobs/{name}/sample", "sample.html", read)
