"""The operators' log: what destroys, stops or repeats something is kept, with who did it and when."""

from __future__ import annotations

import os
import pwd
import socket
from typing import TYPE_CHECKING, Any

from bec_core.db import actions
from bec_core.db.actions import Action

if TYPE_CHECKING:
    from bec_core.admin.session import Session
    from bec_core.db.pool import Connection
    from bec_core.models import Job

__all__ = ["Action", "latest_actions", "record"]


def who(session: Session) -> str:
    """The operator: the user who is logged in (``SUDO_USER`` under sudo) and the host, and what that acts through."""
    try:
        own = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have no name
        own = str(os.getuid())
    name = session.settings.environment.get("SUDO_USER") or own
    through = f" through {session.through}" if session.through else ""
    return f"{name}@{socket.gethostname()}{through}"


def record(
    session: Session,
    connection: Connection,
    job: Job | None,
    action: str,
    number: int | None = None,
    **details: Any,
) -> None:
    """Keep that this was done to a job (None: to queues that are no job's)."""
    actions.record(
        connection,
        who=who(session),
        action=action,
        job_id=job.id if job else None,
        job_name=job.name if job else "-",
        number=number,
        details=details,
    )


def latest_actions(session: Session, job: Job | None = None, *, limit: int) -> list[Action]:
    """What was done last, the latest first."""
    with session.database.reading() as connection:
        return actions.latest(connection, job.id if job else None, limit=limit)
