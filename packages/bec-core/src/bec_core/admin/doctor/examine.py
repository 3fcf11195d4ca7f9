"""All that ``bec doctor`` looks at, in one order: this machine, plugins, AWS, stores, the database, its jobs."""

from __future__ import annotations

from collections.abc import Iterator

from bec_core.admin.doctor import jobs, machine, services, stores
from bec_core.admin.doctor.check import Check, Look, Outcome, look_at, ok, trouble, warning
from bec_core.admin.session import Session
from bec_core.errors import BecError
from bec_core.models import Job

_WITHIN_S = 40.0
_TORCH_S = 30.0


def examine(session: Session, job_name: str | None = None) -> Iterator[Check]:
    """Look at everything, and at one job or at all that are open.

    Raises:
        NotFoundError: there is no job of this name.
    """
    settings = session.settings
    yield from plugins(session)
    chosen: list[Job] = []
    found = list(look_at({"schema": lambda: jobs.schema(session)}, within_s=_WITHIN_S))
    usable = all(check.outcome is not Outcome.TROUBLE for check in found)
    if usable:
        found += look_at({"server": lambda: jobs.server(session)}, within_s=_WITHIN_S)
        chosen = jobs.chosen_jobs(session, job_name)
    else:
        found.append(warning("jobs", "not looked at: the database can't be used"))
    looks: dict[str, Look] = {
        "disks": lambda: machine.disks(settings),
        "device": lambda: machine.device(chosen, within_s=_TORCH_S),
    }
    if services.uses_aws(settings):
        looks["region"] = lambda: services.region(settings)
        looks["credentials"] = services.credentials
        looks["clock"] = lambda: services.clock(settings)
    looks["archive"] = lambda s3=session.s3: stores.source(settings, s3)  # type: ignore[misc]
    looks["artifacts"] = lambda s3=session.s3: stores.artifacts(settings, s3)  # type: ignore[misc]
    session.sqs, session.sources  # noqa: B018 - opened once, not by the first of several threads
    for job in chosen:
        looks.update(jobs.looks(session, job))
    yield from found
    yield from look_at(looks, within_s=_WITHIN_S)


def plugins(session: Session) -> Iterator[Check]:
    """Which plugins are there, and which are broken?"""
    try:
        found = session.plugins
    except BecError as error:
        yield trouble("plugins", str(error))
        return
    known = ", ".join(dict.fromkeys(f"{one.distribution} {one.version}" for one in found.loaded))
    yield ok("plugins", known)
    for broken in found.broken:
        yield trouble(
            "plugins",
            f"{broken.name} of {broken.distribution} {broken.version} can't be loaded: {broken.reason}",
            f"pip install --upgrade {broken.distribution}, or pip uninstall {broken.distribution}",
        )
