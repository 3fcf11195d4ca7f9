"""Putting workers away that died and that somebody has looked after."""

from __future__ import annotations

from collections.abc import Sequence

from bec_core.admin.session import Session
from bec_core.db import workers
from bec_core.models import Job


def dismiss(session: Session, worker_ids: Sequence[int] | None, job: Job | None = None) -> list[int]:
    """Put dead workers away that somebody has looked after: from now on they count as stopped.

    ``worker_ids`` None: all dead ones (of the job). Those that live stay; one that was only silent, and goes on, is
    there again with its next heartbeat. Returns the ids of those put away.
    """
    with session.database.connection() as connection:
        return workers.dismiss(connection, worker_ids, job.id if job else None)
