"""Reports for people, made by the job's plugin from what is finished."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bec_core.admin.session import Session
from bec_core.db import ledger
from bec_core.errors import ManifestMissing, NotFoundError
from bec_core.models import Job, VolumeRef
from bec_core.plugins import load_object
from bec_core.worker.publish import TaskFolder
from bec_core.worker.reporting import FinishedVolume


def finished_volumes(session: Session, job: Job, refs: Iterable[VolumeRef]) -> list[FinishedVolume]:
    """Those of the volumes that are done at their present version, in the order given."""
    finished = []
    for ref in refs:
        try:
            volume = session.sources.resolve(ref)
        except ManifestMissing:
            continue  # it was done once and has left the archive since
        folder = TaskFolder(session.artifacts, job.artifact_root, volume)
        marker = folder.marker()
        if marker is not None:
            finished.append(FinishedVolume(folder, session.sources, marker))
    return finished


def done_volumes(session: Session, job: Job) -> list[VolumeRef]:
    """The volumes that the job was asked for and has done."""
    with session.database.connection() as connection:
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
    if not volumes:
        raise NotFoundError(f"no volume of job {job.name} is finished; see: bec jobs stats {job.name}")
    return Path(load_object(job_type.report)(volumes, directory))
