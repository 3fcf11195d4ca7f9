"""Which volumes there are, in which versions, and how they stand with which jobs."""

from __future__ import annotations

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.db.reads import volume_list
from bec_core.db.reads.volume_list import VolumeRow, VolumeTask
from bec_core.errors import NotFoundError
from bec_core.models import Job

__all__ = ["STANDINGS", "VolumeDetails", "VolumeRow", "VolumeTask", "list_volumes", "show_volume"]

STANDINGS = ("waiting", "blocked", "held", "running", "done", "failed", "retryable_failed", "terminal_failed")
"""How a volume can stand with a job: its latest task's status, or what the ledger says."""


@frozen
class VolumeDetails:
    """A volume with its tasks and, beside each task, where its artifacts lie (None: it has no version)."""

    volume: VolumeRow
    tasks: tuple[tuple[VolumeTask, str | None], ...]


def list_volumes(
    session: Session,
    *,
    job: Job | None = None,
    status: str | None = None,
    beginning: str = "",
    limit: int = 50,
    after: int = 0,
) -> list[VolumeRow]:
    """Volumes by their ids in the database; see :func:`bec_core.db.reads.volume_list.volumes`."""
    with session.database.reading() as connection:
        return volume_list.volumes(
            connection,
            job_id=job.id if job else None,
            status=status,
            beginning=beginning,
            limit=limit,
            after=after,
        )


def show_volume(session: Session, w_id: str, i_id: str) -> list[VolumeDetails]:
    """The volumes of these ids (one for each source that has them) with their tasks.

    Raises:
        NotFoundError: the database knows none.
    """
    with session.database.reading() as connection:
        found = volume_list.named(connection, w_id, i_id)
        tasks = [volume_list.tasks(connection, volume.id) for volume in found]
    if not found:
        raise NotFoundError(f"no job was ever asked for a volume {w_id}/{i_id}; see: bec volumes list")
    return [
        VolumeDetails(volume, tuple((task, _place(session, volume, task)) for task in of_volume))
        for volume, of_volume in zip(found, tasks, strict=True)
    ]


def _place(session: Session, volume: VolumeRow, task: VolumeTask) -> str | None:
    if task.version is None:
        return None
    w_id = volume.w_id.rpartition(":")[2]
    return f"{session.settings.dest_location.rstrip('/')}/{task.root}/{w_id}/{volume.i_id}/{task.version}/"
