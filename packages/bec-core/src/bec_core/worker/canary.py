"""Judging a job's canary: the volumes that went first, while the rest is held back (:mod:`bec_core.db.canary`).

Whoever notices that all of them have ended judges: the worker that settled the last one, an idle worker, the job's
feeder, the next who asks. What has passed is released; if not, the brake pauses the job, and the rest stays held back
until somebody lets the job go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from loguru import logger

from bec_core.db import Database, canary, jobs
from bec_core.db.canary import Ended
from bec_core.db.reads import brake
from bec_core.job import Metric
from bec_core.models import Job
from bec_core.words import count
from bec_core.worker.brake import PAST, Limits, drifted

MAY_FAIL = 0.1
"""This share of a canary's volumes may fail for good."""

_LEAST = 5  # fewer volumes tell nothing of a figure


class Judged(StrEnum):
    """What became of a canary just now."""

    PASSED = "it has passed: the rest is released"
    FAILED = "it failed: the job is paused"


def failed_too_often(ended: Ended) -> str | None:
    """Why not to go on, if too many of the canary's volumes failed for good."""
    number = len(ended.volume_ids)
    if ended.failed <= MAY_FAIL * number:
        return None
    return f"{ended.failed} of the {count(number, 'volume')} of the canary failed for good"


def judge(database: Database, job: Job, metrics: Sequence[Metric]) -> Judged | None:
    """Judge the job's canary if all its volumes have ended; None: there is nothing to judge.

    What is released has no message yet: see :func:`bec_core.queues.sweep.sweep`.

    Args:
        database: where the ledger is.
        job: the job.
        metrics: what its type declares.
    """
    with database.connection() as connection:
        ended = canary.to_judge(connection, job.id)
        if ended is None:
            return None
        reason = failed_too_often(ended)
        limits = Limits(1.0, max(2 * _LEAST, len(ended.volume_ids)))
        for metric in metrics:
            if reason or metric.drift is None:
                continue
            assert metric.weight is not None
            moved = brake.drift_of(
                connection,
                job.id,
                metric.name,
                metric.weight,
                ended.volume_ids,
                since=ended.asked_at,
                past=PAST,
            )
            why = drifted(metric, moved, limits)
            reason = f"the canary: {why}" if why else None
        if reason is None:
            held = canary.release(connection, job.id, passed=True) or 0
        elif jobs.pull_brake(connection, job.id, reason, judged_from=ended.judged_from):
            canary.fail(connection, job.id, reason)
        else:
            return None  # somebody paused it, or let it go on, this moment: whoever looks next judges
    if reason is None:
        logger.info("the canary has passed: {} held back till now", count(held, "volume"))
        return Judged.PASSED
    logger.critical("the canary failed: {}; look into it, then: bec jobs resume {}", reason, job.name)
    return Judged.FAILED
