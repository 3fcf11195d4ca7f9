"""The database, and in it the jobs: their queues, plugins, configs, inputs and resources."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from bec_core.admin.database import schema_status
from bec_core.admin.doctor.check import Check, Look, ok, trouble, warning
from bec_core.admin.health import open_jobs
from bec_core.admin.jobs import find_job
from bec_core.admin.session import Session
from bec_core.db import inputs, ledger
from bec_core.db.reads.server import about
from bec_core.errors import (
    BecError,
    DatabaseUnavailable,
    NotFoundError,
    PageError,
    QueueUnavailable,
    StorageError,
    TaskError,
)
from bec_core.job_config import structure_job
from bec_core.models import Job, JobStatus
from bec_core.queues import open_queue
from bec_core.queues.policy import doubts
from bec_core.queues.policy import trouble as policy_trouble
from bec_core.resources import NamedResources, ResourceCache, ResourceFinder
from bec_core.settings import plugin_settings


def schema(session: Session) -> Iterator[Check]:
    """Is the database there, its schema current, and usable by all roles?"""
    try:
        if session.settings.is_local:
            session.database  # noqa: B018 - the embedded one is made, and brought up to date, by whoever opens it
        status = schema_status(session.settings)
    except DatabaseUnavailable as error:
        yield trouble(
            "database",
            str(error),
            "does it run, is it reachable (network, security group), are BEC_SQL_* right?",
        )
        return
    pending = [one for one in status.migrations if one.state == "pending"]
    if status.unfit:
        yield trouble("schema", status.unfit)
    elif pending:
        names = ", ".join(f"{one.version:04d}_{one.name}" for one in pending)
        phase = " --phase after" if all(one.phase == "after" for one in pending) else ""
        yield warning("schema", f"it lacks {names}; this version works without", f"bec db upgrade{phase}")
    else:
        yield ok("schema", f"current, level {status.code_level}, of {status.database}")
    for name in status.broken_indexes:
        yield warning(
            "schema", f"the index {name} is broken: it slows writes down and serves nobody", "bec db upgrade"
        )
    for grant in status.missing_grants:
        yield warning("schema", "a worker's role lacks a right", grant)


def server(session: Session) -> Iterator[Check]:
    """Which server is it, and has it room for more connections?"""
    with session.database.reading() as connection:
        found = about(connection)
    text = f"PostgreSQL {found.version}, {found.connections} of {found.most} connections in use"
    if found.connections > 0.8 * found.most:
        yield warning("server", text, "raise max_connections, or put a pooler in front")
    else:
        yield ok("server", text)


def chosen_jobs(session: Session, job_name: str | None) -> list[Job]:
    """The job that was named, or all that are open.

    Raises:
        NotFoundError: there is no such job.
    """
    return [find_job(session, job_name)] if job_name else open_jobs(session)


def looks(session: Session, job: Job) -> dict[str, Look]:
    """What there is to look at of a job."""
    return {
        f"job {job.name}": lambda: _job(session, job),
        f"queues of {job.name}": lambda: _queues(session, job),
        f"a volume of {job.name}": lambda: _volume(session, job),
        f"model of {job.name}": lambda: _resources(session, job),
    }


def _job(session: Session, job: Job) -> Iterator[Check]:
    name = f"job {job.name}"
    if job.status is not JobStatus.ACTIVE:
        yield warning(name, f"it is {job.status.value}: no volume is begun", f"bec jobs resume {job.name}")
    job_type = session.plugins.job_type(job.type)
    structure_job(job.config, job_type)
    plugin_settings(session.settings.environment, job_type)
    with session.database.reading() as connection:
        bound = {one.name: one.job_id for one in inputs.bound(connection, job.id)}
    for one in job_type.inputs:
        if bound.get(one.name) is None:
            yield trouble(
                name,
                f"the input {one.name} is bound to no job, so every volume is blocked",
                f"bec jobs update {job.name} --input {one.name}=JOB",
            )
    yield ok(name, f"{job_type.name} {job_type.version}, config revision {job.config_revision}")


def _queues(session: Session, job: Job) -> Iterator[Check]:
    name = f"queues of {job.name}"
    database = session.database if job.queue_url.startswith("postgres:") else None
    options = attrs.evolve(session.sqs, connect_timeout_s=3.0, read_timeout_s=8.0, max_attempts=2)
    tasks, dead = (open_queue(url, database=database, sqs=options) for url in (job.queue_url, job.dlq_url))
    try:
        figures, letters = tasks.stats(), dead.stats()
        wrong = policy_trouble(tasks, dead)
        found = doubts(tasks, dead)
    except NotFoundError as error:
        yield trouble(
            name, str(error), "create it with that name, or give the job other queues: bec jobs create --help"
        )
        return
    except QueueUnavailable as error:
        yield trouble(
            name, str(error), "the network, BEC_REGION, AWS_ENDPOINT_URL, and the rights that docs/iam lists"
        )
        return
    finally:
        tasks.close()
        dead.close()
    if wrong:
        yield trouble(name, *wrong.split("; to mend it: "))
    for words, remedy in found:
        yield warning(name, words, remedy)
    if letters.available:
        yield warning(
            name, f"{letters.available} dead letters lie there", f"bec errors top --job-name {job.name}"
        )
    waiting = figures.available + figures.in_flight + figures.delayed
    yield ok(name, f"{tasks.name} ({waiting} messages) and {dead.name}")


def _volume(session: Session, job: Job) -> Iterator[Check]:
    """Can the first volume that waits be read, from wherever it is?"""
    name = f"a volume of {job.name}"
    with session.database.reading() as connection:
        ref = next(ledger.volumes_in_state(connection, job.id, "waiting"), None)
    if ref is None:
        return
    try:
        volume = session.sources.resolve(ref)
        if volume.pages:
            session.sources.read_page(volume, volume.pages[0])
    except TaskError as error:
        yield warning(name, str(error), "it alone may be wrong; what the job is asked for: bec queue peek")
    except (PageError, StorageError) as error:
        yield trouble(
            name, f"{ref}: {error}", "grant s3:GetObject on the archive (docs/iam), or mend what is named"
        )
    else:
        yield ok(name, f"{ref} can be read: {len(volume.pages)} pages")


def _resources(session: Session, job: Job) -> Iterator[Check]:
    name = f"model of {job.name}"
    job_type = session.plugins.job_types.get(job.type)
    if job_type is None:
        return  # told already
    if not job_type.resources:
        yield ok(name, f"{job_type.name} needs none")
        return
    _, runtime = structure_job(job.config, job_type)
    finder = ResourceFinder(
        ResourceCache(session.settings.home / "cache", session.s3),
        NamedResources(),
        session.settings.environment,
    )
    try:
        found = finder.find(job_type, runtime.resources)
    except BecError as error:
        yield trouble(name, str(error))
        return
    for one in job_type.resources:
        if one.name in found:
            yield ok(name, f"{one.name}: {found[one.name].path}, {found[one.name].sha256[:12]}")
        else:
            yield ok(name, f"{one.name}: none given; {one.doc}")
