"""What there is to do: a list of volumes or jobs' ledgers, and a sample of manifests that says how many pages it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from attrs import field, frozen

from bec_core.admin.binding import bound_inputs
from bec_core.admin.folder_run import check_chain
from bec_core.admin.planning.figures import Figure
from bec_core.admin.planning.sampling import choose, total_of
from bec_core.admin.session import Session
from bec_core.db.reads import planning
from bec_core.errors import ConflictError, TaskError
from bec_core.models import Job, JobStatus, Volume, VolumeRef
from bec_core.reporting.side_by_side import side_by_side

_AT_ONCE = 8


@frozen
class Work:
    """The volumes of a job: how many, how many pages (None: none could be looked at), those that were looked at.

    ``unread`` are those of the sample that have no manifest in order, each with the reason.
    """

    volumes: int
    pages: Figure | None
    sample: tuple[Volume, ...] = ()
    unread: tuple[tuple[VolumeRef, str], ...] = ()


@frozen
class Stage:
    """A job of the plan; ``reads`` says of each input which stage before it that is."""

    job: Job
    work: Work
    reads: Mapping[str, str] = field(factory=dict)

    @property
    def names(self) -> tuple[str, str]:
        """What it may be called in options and in the price file."""
        return self.job.name, self.job.type


def of_list(
    session: Session, job_types: Sequence[str], refs: Sequence[VolumeRef], *, size: int
) -> list[Stage]:
    """A chain of job types, with their default configs, over the volumes of a list."""
    reads = check_chain(session, job_types)
    refs = list(dict.fromkeys(refs))
    work = _look(session, [(ref, None) for ref in refs], size=size)
    return [Stage(_unmade(name), work, inputs) for name, inputs in zip(job_types, reads, strict=True)]


def of_ledgers(session: Session, jobs: Sequence[Job], *, size: int) -> list[Stage]:
    """Jobs over what they were asked for and have not done; what one reads must be named before it.

    Raises:
        ConflictError: an input is bound to no job, or to one that is not named before it.
    """
    stages: list[Stage] = []
    for job in jobs:
        reads: dict[str, str] = {}
        for one in bound_inputs(session, job):
            if one.job_name is None or one.job_name not in [before.job.name for before in stages]:
                way = (
                    "bind it: bec jobs update" if one.job_name is None else f"--job-name {one.job_name} first"
                )
                raise ConflictError(
                    f"job {job.name} reads {one.job_name or 'no job yet'} as {one.name}: {way}"
                )
            reads[one.name] = one.job_name
        with session.database.reading() as connection:
            found = planning.to_do(connection, job.id)
        stages.append(Stage(job, _look(session, found, size=size), reads))
    return stages


def _look(session: Session, found: Sequence[tuple[VolumeRef, int | None]], *, size: int) -> Work:
    """The work that these volumes are; only of those whose pages nobody knows the number is extrapolated."""
    unknown = [ref for ref, pages in found if pages is None]
    known = sum(pages for _, pages in found if pages is not None)
    chosen = choose(unknown or [ref for ref, _ in found], size)
    sample, unread = list[Volume](), list[tuple[VolumeRef, str]]()
    looks = side_by_side(lambda ref: (ref, _resolve(session, ref)), chosen, at_once=_AT_ONCE)
    for ref, look in looks:
        if isinstance(look, Volume):
            sample.append(look)
        else:
            unread.append((ref, look))
    # what has no manifest counts with no page: the job would give it up at once
    counts = [len(volume.pages) for volume in sample] + [0] * len(unread)
    pages = total_of(counts if sample else [], len(unknown), known=known)
    return Work(len(found), pages, tuple(sample), tuple(unread))


def _resolve(session: Session, ref: VolumeRef) -> Volume | str:
    try:
        return session.sources.resolve(ref)
    except TaskError as error:
        return str(error)


def _unmade(job_type: str) -> Job:
    """A job of this type, with no config, that no row stands for."""
    now = datetime.now(UTC)
    return Job(
        id=0,
        name=job_type,
        type=job_type,
        config={},
        config_revision=1,
        status=JobStatus.ACTIVE,
        queue_url="",
        dlq_url="",
        created_at=now,
        updated_at=now,
    )
