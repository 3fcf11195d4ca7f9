"""Which jobs there are, and what is known of each."""

from __future__ import annotations

from typing import Any

from bec_core.admin.session import Session
from bec_core.db import jobs as rows
from bec_core.db import recipes
from bec_core.models import Job


def list_jobs(session: Session) -> list[Job]:
    """All jobs by id."""
    with session.database.connection() as connection:
        return rows.list_all(connection)


def find_job(session: Session, name_or_id: str | int) -> Job:
    """The job of this name or id.

    Raises:
        NotFoundError: there is none.
    """
    with session.database.connection() as connection:
        return rows.get(connection, name_or_id)


def newest_arithmetic(session: Session, job: Job) -> str | None:
    """What the job's workers calculate in, as the newest of them declared; None: none has said."""
    with session.database.connection() as connection:
        declared = recipes.ingredients(connection, job.id)
    return declared[0][1] or None if declared else None


def config_revisions(session: Session, job: Job) -> list[tuple[int, dict[str, Any], Any]]:
    """Every config that the job had: revision, config, time of creation; newest first."""
    with session.database.connection() as connection:
        return rows.revisions(connection, job.id)
