"""How many instances a job's backlog wants: functions of figures, for every engine that scales."""

from __future__ import annotations

import math

from attrs import frozen

from bec_core.db.backlog import Backlog
from bec_core.models import JobStatus


@frozen
class Rules:
    """By what a group is sized: the backlog (volumes) that one instance is to have, and the group's bounds."""

    per_instance: int
    most: int
    least: int = 0


@frozen
class Wanted:
    """How many instances there should be, and why, in words."""

    instances: int
    why: str


def needs_nobody(status: JobStatus, *, over: bool) -> bool:
    """Whether a job needs no worker at all: nothing is left of it (what a worker ends by), or it must not go on.

    A paused job's workers only wait: whoever resumes it waits some minutes for new ones instead.
    """
    return over or status is not JobStatus.ACTIVE


def wanted(rules: Rules, backlog: Backlog, *, nobody: bool, current: int) -> Wanted:
    """The size of the group for a backlog.

    Args:
        rules: by what.
        backlog: the job's.
        nobody: see :func:`needs_nobody`.
        current: how many instances there are.
    """
    if nobody:
        return Wanted(rules.least, "the job needs nobody now")
    if backlog.total == 0:
        waiting = max(rules.least, min(1, current))
        return Wanted(waiting, "nothing can be worked on now, but blocked volumes are on their way")
    needed = math.ceil(backlog.total / rules.per_instance)
    bounded = min(rules.most, max(rules.least, 1, needed))
    why = f"{backlog.total:,} volumes, {rules.per_instance:,} for each instance"
    if bounded < needed:
        why += f" would want {needed:,}; the group has at most {rules.most:,}"
    return Wanted(bounded, why)
