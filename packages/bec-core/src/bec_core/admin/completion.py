"""Names for the shell's completion; none where they can't be had: a shell has no place for an error."""

from __future__ import annotations

from bec_core.admin.jobs import list_jobs
from bec_core.admin.session import Session
from bec_core.admin.volumes import list_volumes
from bec_core.errors import BecError
from bec_core.plugins import load_plugins
from bec_core.settings import Settings

_VOLUMES = 1000


def job_names(settings: Settings) -> list[str]:
    """The names of all jobs."""
    try:
        with Session(settings) as session:
            return [job.name for job in list_jobs(session)]
    except BecError:
        return []


def job_type_names() -> list[str]:
    """The names of the installed job types."""
    try:
        return sorted(load_plugins(quiet=True).job_types)
    except BecError:
        return []


def volume_names(settings: Settings, beginning: str) -> list[str]:
    """The volumes, as ``W_ID,I_ID``, of the first thousand of the works that begin like that."""
    try:
        with Session(settings) as session:
            found = list_volumes(session, beginning=beginning.partition(",")[0], limit=_VOLUMES)
    except BecError:
        return []
    return [f"{one.w_id},{one.i_id}" for one in found]
