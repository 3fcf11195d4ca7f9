"""Names for the shell's completion."""

from __future__ import annotations

from bec_core.admin.jobs import list_jobs
from bec_core.admin.session import Session
from bec_core.errors import BecError
from bec_core.settings import Settings


def job_names(settings: Settings) -> list[str]:
    """The names of all jobs; none if the database can't be asked: a shell has no place for an error."""
    try:
        with Session(settings) as session:
            return [job.name for job in list_jobs(session)]
    except BecError:
        return []
