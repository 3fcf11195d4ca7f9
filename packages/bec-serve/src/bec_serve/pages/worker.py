"""One worker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from bec_serve import readings
from bec_serve.routing import Page, Values
from bec_serve.serving import Serving


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """What it does, and what it has done."""
    past = await readings.worker(serving, path["worker_id"])
    return {"at": datetime.now(UTC), "view": past.view, "totals": past.totals}


PAGE = Page("/workers/{worker_id:int}", "worker.html", read, live=True)
