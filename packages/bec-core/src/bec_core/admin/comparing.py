"""Two jobs of one type compared by their figures, as the database has them: no artifact is read."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from attrs import frozen

from bec_core.admin.metrics import MetricChange, changes, declared
from bec_core.admin.session import Session
from bec_core.db import standing
from bec_core.errors import ConflictError
from bec_core.models import Job


@frozen
class ComparedVolume:
    """A volume that both have done: its figures before and after, and by how much the chosen one differs."""

    w_id: str
    i_id: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    difference: float


@frozen
class ComparedJobs:
    """Two jobs over the volumes that both have done.

    Attributes:
        volumes: how many these are.
        changes: each metric over them, but those that stand for words.
        by: the metric by which ``most`` is ordered; None where the type has no metric.
        most: the volumes that differ most in it, the largest difference first.
    """

    volumes: int
    changes: tuple[MetricChange, ...]
    by: str | None
    most: tuple[ComparedVolume, ...]


def compare_jobs(
    session: Session, before: Job, after: Job, *, by: str | None = None, limit: int = 50
) -> ComparedJobs:
    """Compare two jobs by what stands of them now.

    Args:
        session: the services.
        before: the older one.
        after: the newer one.
        by: the metric in which volumes are to differ; None: the first that says what is better, or else the first.
        limit: so many volumes at most.

    Raises:
        ConflictError: the jobs are the same or of different types, or the type has no such metric.
    """
    if before.id == after.id:
        raise ConflictError(f"{before.name} is one job: name two")
    if before.type != after.type:
        raise ConflictError(f"{before.name} is of type {before.type}, {after.name} of {after.type}")
    metrics = declared(session, after)
    names = [metric.name for metric in metrics]
    if by is not None and by not in names:
        raise ConflictError(f"jobs of type {after.type} have no figure {by!r}; there are {', '.join(names)}")
    first = next((metric.name for metric in metrics if metric.better), names[0] if names else None)
    by = by or first
    with session.database.reading() as connection:
        found = list(standing.of_both(connection, before.id, after.id))
    most = [
        ComparedVolume(w_id, i_id, one, other, other[by] - one[by])
        for w_id, i_id, one, other in found
        if by is not None and by in one and by in other and one[by] != other[by]
    ]
    most.sort(key=lambda volume: -abs(volume.difference))
    sides = ([{"metrics": one} for _, _, one, _ in found], [{"metrics": other} for _, _, _, other in found])
    told = sorted(changes(metrics, *sides), key=attrgetter("volumes"), reverse=True)
    return ComparedJobs(len(found), tuple(told), by, tuple(most[:limit]))
