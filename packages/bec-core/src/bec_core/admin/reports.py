"""Reports and comparisons for people, made by the job's plugin from what is finished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from html import escape
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from attrs import evolve, frozen
from loguru import logger

from bec_core.admin.jobs import find_job
from bec_core.admin.links import volume_link
from bec_core.admin.metrics import MetricChange, changes
from bec_core.admin.session import Session
from bec_core.artifacts import FinishedVolume, ReadyInput, TaskFolder, owner_of
from bec_core.db import inputs, ledger, roots
from bec_core.errors import (
    ConflictError,
    ManifestMissing,
    NotFoundError,
    ObjectNotFound,
    StorageError,
    TaskError,
)
from bec_core.models import Job, Volume, VolumeRef, check_id
from bec_core.plugins import load_object
from bec_core.reporting.side_by_side import side_by_side
from bec_core.storage import InvalidKey

_AT_ONCE = 8
"""So many volumes are looked up at a time: each costs a few round trips to the store."""


def finished_volumes(session: Session, job: Job, refs: Iterable[VolumeRef]) -> Iterator[FinishedVolume]:
    """Those of the volumes that are done at their present version, in the order given; a few at a time."""
    run = Run(job)
    found = side_by_side(lambda ref: _readable(session, run, ref), refs, at_once=_AT_ONCE)
    return (volume for volume in found if volume is not None)


def done_volumes(session: Session, job: Job) -> list[VolumeRef]:
    """The volumes that the job was asked for and has done."""
    with session.database.reading() as connection:
        return list(ledger.volumes_in_state(connection, job.id, "done"))


def write_report(session: Session, job: Job, refs: Iterable[VolumeRef], directory: Path) -> Path:
    """Let the plugin write its report of the finished ones among ``refs``; returns the file to open first.

    Raises:
        NotFoundError: the plugin has no report, or none of the volumes is finished.
    """
    job_type = session.plugins.job_type(job.type)
    if job_type.report is None:
        raise NotFoundError(f"the job type {job_type.name} has no report")
    volumes = finished_volumes(session, job, refs)
    first = next(volumes, None)
    if first is None:
        raise NotFoundError(f"no volume of job {job.name} is finished; see: bec jobs stats {job.name}")
    return Path(load_object(job_type.report)(chain([first], volumes), directory))


@frozen
class VolumeReport:
    """A volume's part of a report: the file to open, below the folder, and the volume's pages in reading order."""

    first: Path
    pages: tuple[str, ...]


def write_volume_report(session: Session, job: Job, ref: VolumeRef, directory: Path) -> VolumeReport:
    """Let the plugin write its report of one finished volume.

    Raises:
        NotFoundError: the plugin has no report, or the volume is not finished, or can't be read.
    """
    job_type = session.plugins.job_type(job.type)
    if job_type.report is None:
        raise NotFoundError(f"the job type {job_type.name} has no report")
    volume = next(finished_volumes(session, job, [ref]), None)
    if volume is None:
        raise NotFoundError(
            f"what job {job.name} made of {ref} is not to be found below {session.settings.dest_location}, or is of an"
            " earlier version of the volume; where a run had another --out: set BEC_DEST_URL"
        )
    alone = evolve(volume, served_at=None)  # it is shown where the link would lead
    first = Path(load_object(job_type.report)(iter([alone]), directory))
    own = [one for one in directory.glob("*/index.html") if one.is_file()]
    pages = tuple(page.filename for page in volume.volume.pages)
    return VolumeReport((own[0] if len(own) == 1 else first).relative_to(directory), pages)


def write_reports(
    session: Session, jobs: Sequence[Job], refs: Sequence[VolumeRef], directory: Path
) -> Path | None:
    """The reports of a chain of jobs in one place: of one job its own, of several a page that leads to each.

    Returns:
        The file to open first; None if no job has both a report and a finished volume.
    """
    written: list[tuple[str, Path]] = []
    for job in jobs:
        place = directory if len(jobs) == 1 else directory / job.type
        try:
            written.append((job.type, write_report(session, job, refs, place)))
        except NotFoundError:
            continue  # it has no report, or nothing of it is finished
    if len(jobs) == 1 or not written:
        return written[0][1] if written else None
    first = directory / "index.html"
    summaries = {job.type: session.plugins.job_type(job.type).summary for job in jobs}
    items = "".join(
        f'<li><a target="report" href="{escape(quote(path.relative_to(directory).as_posix()))}">{escape(name)}</a>'
        f" {escape(summaries[name])}</li>"
        for name, path in written
    )
    last = escape(quote(written[-1][1].relative_to(directory).as_posix()))
    first.write_text(_CHAIN.format(items=items, last=last), encoding="utf-8")
    return first


_CHAIN = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; frame-src 'self' file:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>BEC report</title>
<style>
html, body {{ height: 100%; margin: 0; font: 16px/1.4 system-ui, sans-serif; }}
body {{ display: flex; flex-direction: column; }}
ul {{ margin: 0; padding: .5rem 1rem; list-style: none; display: flex; gap: 2rem; border-bottom: 1px solid #8888; }}
a {{ font-weight: 600; }}
iframe {{ flex: 1; border: 0; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111; color: #ddd; }} a {{ color: #8bf; }} }}
</style></head>
<body><ul>{items}</ul><iframe name="report" title="report" src="{last}"></iframe></body></html>
"""


@frozen
class Run:
    """One side of a comparison: a job's artifacts, at each volume's present version or at the one named."""

    job: Job
    version: str | None = None

    def __str__(self) -> str:
        return self.job.name if self.version is None else f"{self.job.name}@{self.version}"


def find_run(session: Session, text: str) -> Run:
    """The run that ``JOB`` or ``JOB@VERSION`` names.

    Raises:
        NotFoundError: there is no such job.
    """
    name, at, version = text.partition("@")
    return Run(find_job(session, name), check_id(version, "version") if at else None)


@frozen
class Comparison:
    """Two runs compared: the metrics over the ``volumes`` volumes that both have done, and the plugin's file."""

    volumes: int
    metrics: tuple[MetricChange, ...]
    report: Path | None


def write_comparison(
    session: Session, before: Run, after: Run, refs: Sequence[VolumeRef], directory: Path
) -> Comparison:
    """Compare two runs over the volumes that both have done: by metrics, and by what the plugin makes of it.

    ``refs`` empty: all volumes that both jobs were asked for.

    Raises:
        ConflictError: the runs are the same, or of different job types.
        NotFoundError: the plugin can't compare and has no metrics, or there is no volume that both have done.
    """
    job_type = session.plugins.job_type(before.job.type)
    if before == after:
        raise ConflictError(
            f"{before} and {after} are the same run; name two jobs, or two versions as JOB@VERSION"
        )
    if after.job.type != before.job.type:
        raise ConflictError(f"{before} is of type {before.job.type}, {after} of {after.job.type}")
    if job_type.compare is None and not job_type.metrics:
        raise NotFoundError(f"the job type {job_type.name} has no comparison")
    done_before = set(done_volumes(session, before.job))
    asked = list(refs) or [ref for ref in done_volumes(session, after.job) if ref in done_before]
    pairs = []
    for ref in asked:
        sides = [_readable(session, run, ref) for run in (before, after)]
        if sides[0] is not None and sides[1] is not None:
            pairs.append((sides[0], sides[1]))
    if not pairs:
        raise NotFoundError(f"there is no volume that both {before} and {after} have done")
    report = None
    if job_type.compare is not None:
        names = (str(before), str(after))
        report = Path(load_object(job_type.compare)(pairs, directory, names=names))
    figures = changes(job_type.metrics, [one.marker for one, _ in pairs], [two.marker for _, two in pairs])
    return Comparison(len(pairs), tuple(figures), report)


def _readable(session: Session, run: Run, ref: VolumeRef) -> FinishedVolume | None:
    """The volume if it is finished; one that can't be read is said and left out, so that the others are shown."""
    try:
        return _finished_at(session, run, ref)
    except ManifestMissing:
        return None  # it was done once and has left the archive since
    except (TaskError, ObjectNotFound, StorageError, InvalidKey) as error:
        logger.warning("{} of {} is left out: {}", ref, run, error)
        return None


def _finished_at(session: Session, run: Run, ref: VolumeRef) -> FinishedVolume | None:
    volume = session.sources.resolve(ref)
    if run.version is not None:
        volume = evolve(volume, version=run.version)
    with session.database.reading() as connection:
        root = roots.of_task(connection, run.job.id, ref, volume.version)
    folder = TaskFolder(session.artifacts, root or run.job.artifact_root, volume)
    marker = folder.marker()
    if marker is None or (run.job.shares_prefix and owner_of(marker, run.job.name)):
        return None  # not done, or another job's under a shared prefix
    for listed in marker.artifacts:
        folder.store.head(folder.key(listed.name))  # one that is gone would end the plugin's report of all
    work, find_input = session.catalogue.of(ref.db_w_id), partial(_input, session, run.job, volume)
    link = volume_link(session.settings, run.job.name, ref)
    return FinishedVolume(folder, session.sources, work, marker.content, find_input, link)


def _input(session: Session, job: Job, volume: Volume, name: str) -> ReadyInput:
    with session.database.reading() as connection:
        bound = {one.name: one for one in inputs.bound(connection, job.id)}
        one = bound.get(name)
        if one is None or one.job_id is None:
            raise ValueError(f"job {job.name} has no input {name!r} (bound: {', '.join(bound) or 'none'})")
        root = roots.of_task(connection, one.job_id, volume.ref, volume.version)
    folder = TaskFolder(session.artifacts, root or str(one.artifact_root), volume)
    marker = folder.marker()
    if marker is None:
        raise ObjectNotFound(f"job {one.job_name} has not done {volume.ref} at version {volume.version}")
    return ReadyInput(one, folder, marker)
