"""``bec worker --wait``: nothing is loaded before there is something to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from loguru import logger

from bec_core.admin.jobs import find_job
from bec_core.admin.waiting import LEAST_S, LOOK_S, Outlook, outlook
from bec_core.errors import ServiceError

if TYPE_CHECKING:
    from bec_core.admin.session import Session
    from bec_core.models import Job
    from bec_core.worker import Watchdog


def wait_for_work(session: Session, name_or_id: str, watchdog: Watchdog, *, poll_s: float) -> Job:
    """The job, once a worker of it has something to do; meanwhile the service counts as started.

    It is looked at least every ``poll_s``, and more often where something will be due sooner.
    A service in trouble is waited for too, once the first look was answered.

    Raises:
        NotFoundError: there is no such job, or it was deleted.
        ServiceError: the first look failed.
    """
    said = ""
    while True:
        try:
            job = find_job(session, name_or_id)
            found = outlook(session, job)
        except ServiceError as error:
            if not said:
                raise
            found = Outlook(f"waiting after trouble: {error}", LOOK_S)
        if found.pause_s is None:
            return job
        if found.why != said:
            logger.info("{}", found.why)
        said = found.why
        pause_s = min(found.pause_s, max(LEAST_S, poll_s))
        watchdog.idle(found.why, pause_s)
        time.sleep(pause_s)
