"""When a running job will be done, and what that will cost, as an interval; a function of figures, or nothing.

The pages done and the seconds that workers lived are taken by stretches of time. Their ratio is a worker's rate, the
jackknife over the stretches says how far it may be off, and the pages left by the workers that live now say when.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bec_core.admin.ratios import ratio
from bec_core.admin.session import Session
from bec_core.admin.statistics import ALIVE_S, Progress
from bec_core.db.reads.windows import Window, windows
from bec_core.models import Job

_WINDOWS_S = (300.0, 60.0)
"""Stretches of five minutes; of a job that began lately, of one."""

_NUMBER = 12
_LEAST = 4  # stretches in which workers lived …
_LEAST_SHARE = 0.1  # … for so much of it, added up: a moment says nothing


@frozen
class Estimate:
    """When the pages left are done in 95 of 100 cases, if the workers that live now go on as until now.

    Attributes:
        low_s, high_s: seconds from now; ``high_s`` None: there is no telling, the rate changes too much.
        worker_low_s, worker_high_s: the same as seconds of one worker, which is what costs.
        pages_left: by the ledger.
        pages_per_worker_s: a worker's rate.
        windows, window_s: how many stretches it is made from, and how long each is.
        workers: how many live now, or fewer volumes are left.
        workers_before: how many lived on average in those stretches.
    """

    low_s: float
    high_s: float | None
    worker_low_s: float
    worker_high_s: float | None
    pages_left: int
    pages_per_worker_s: float
    windows: int
    window_s: float
    workers: int
    workers_before: float


def estimate(
    *,
    pages_left: int | None,
    volumes_left: int,
    live_workers: int,
    stretches: Sequence[Window],
    window_s: float,
) -> Estimate | None:
    """The estimate; None without ground: nothing left, nobody at work, or too few stretches of time to compare."""
    used = [one for one in stretches if one.worker_s >= _LEAST_SHARE * window_s]
    found = ratio([(one.pages, one.worker_s) for one in used])
    workers = min(live_workers, volumes_left)
    if not pages_left or workers <= 0 or len(used) < _LEAST or found is None or found.margin is None:
        return None
    low = pages_left / (found.value + found.margin)
    high = pages_left / (found.value - found.margin) if found.margin < found.value else None
    return Estimate(
        low / workers,
        None if high is None else high / workers,
        low,
        high,
        pages_left,
        found.value,
        len(used),
        window_s,
        workers,
        sum(one.worker_s for one in used) / (len(used) * window_s),
    )


def estimate_left(session: Session, job: Job, progress: Progress) -> Estimate | None:
    """The estimate for a job as it stands; None also where it waits for inputs that others have yet to do."""
    if any(one.waiting for one in progress.blocked_on):
        return None
    for window_s in _WINDOWS_S:
        with session.database.reading() as connection:
            stretches = windows(connection, job.id, window_s=window_s, number=_NUMBER, alive_s=ALIVE_S)
        found = estimate(
            pages_left=progress.pages_left,
            volumes_left=progress.waiting + progress.running,
            live_workers=progress.live_workers,
            stretches=stretches,
            window_s=window_s,
        )
        if found is not None:
            return found
    return None
