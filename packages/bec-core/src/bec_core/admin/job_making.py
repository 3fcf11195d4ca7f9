"""Creating jobs, and giving them other configs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from loguru import logger

from bec_core.admin.actions import record
from bec_core.admin.binding import Binding, bindings, choose_type, is_folder_run, rebind
from bec_core.admin.jobs import find_job, list_jobs
from bec_core.admin.session import Session
from bec_core.db import inputs as input_rows
from bec_core.db import jobs as rows
from bec_core.errors import ConflictError, NotFoundError, SettingsError
from bec_core.job_config import structure_job
from bec_core.models import Job
from bec_core.queues import create_queues
from bec_core.words import meant, named

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


@frozen
class CreatedJob:
    """A new job, the names of its queues that were not there before, its inputs, what the operator should know."""

    job: Job
    created_queues: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    inputs: tuple[Binding, ...] = ()


@frozen
class Plan:
    """A job as it would be created: its type (and why that one), its inputs, what the operator should know."""

    job_type: str
    why_type: str | None
    inputs: tuple[Binding, ...]
    warnings: tuple[str, ...]


@frozen
class UpdatedJob:
    """A job with its config as it is now; ``changed`` is False if it had exactly this one before."""

    job: Job
    changed: bool
    warnings: tuple[str, ...] = field(default=())


def check_config(session: Session, job_type: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Check a config against its plugin; returns warnings.

    A job type that no plugin here brings is a warning: the machine that creates a job need not be
    the one that runs it, and the worker checks again.

    Raises:
        JobConfigError: naming everything that is wrong.
    """
    if job_type not in session.plugins.job_types:
        broken = [f"{b.distribution} could not be loaded: {b.reason}" for b in session.plugins.broken]
        known = sorted(session.plugins.job_types)
        return (
            f"no plugin here brings the job type {job_type!r} (installed: {named(known)}): the config was not checked,"
            " and inputs that it may have are not bound"
            + "".join(f" ({reason})" for reason in broken)
            + meant(job_type, known),
        )
    structure_job(config, session.plugins.job_type(job_type))
    return ()


def check_name(name: str) -> None:
    """Refuse what can't be a queue's and a folder's name.

    Raises:
        SettingsError: it can't.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} can't be a job's name: use letters, digits, '_' and '-' (at most 60)")
    if name.isdigit():
        raise SettingsError(f"{name!r} can't be a job's name: commands would take it for a job's id")


def create_job(
    session: Session,
    *,
    name: str,
    job_type: str | None = None,
    config: Mapping[str, Any] | None = None,
    queue_url: str | None = None,
    dlq_url: str | None = None,
    share_prefix: bool = False,
    inputs: Mapping[str, str] | None = None,
    follow: bool = False,
) -> CreatedJob:
    """Create a job and its queues (existing ones are used).

    ``share_prefix``: let its artifacts lie where another job's lie; what that one has done counts as done by it.
    ``inputs``: the jobs that it reads, by input; what is left out is found (see :mod:`bec_core.admin.binding`).
    ``follow``: what gets done by them is asked of this job by itself.

    Raises:
        ConflictError: there is a job of this name, another one's artifacts lie under the same prefix, or a queue
            is another job's, or both are one.
        JobConfigError: the config does not fit the job type.
        SettingsError: the name can't be one, or only one of the two queue URLs is given.
        NotFoundError: a queue that was named does not exist.
    """
    config = dict(config or {})
    plan = precheck(session, name, job_type, config, share_prefix=share_prefix, inputs=inputs)
    if follow and not plan.inputs:
        raise SettingsError(f"the job type {plan.job_type} reads no other job, so it has nothing to follow")
    queue_url, dlq_url, created = _queues(session, name, queue_url, dlq_url)
    with session.database.connection() as connection:
        other = rows.user_of(connection, (queue_url, dlq_url), besides=name)
        if other is not None:
            raise ConflictError(
                f"job {other.name} uses {other.queue_url} and {other.dlq_url} already, and one job's workers would set"
                " the other's messages aside: give queues of its own, or leave out --queue-url and --dlq-url"
            )
        job = rows.create(
            connection,
            name=name,
            job_type=plan.job_type,
            config=config,
            queue_url=queue_url,
            dlq_url=dlq_url,
            artifact_root=root_of(name, config),
            shares_prefix=share_prefix,
        )
        for one in plan.inputs:
            input_rows.bind(
                connection,
                job.id,
                one.input.name,
                one.job_id,
                artifacts=one.input.artifacts,
                follow=follow,
            )
    logger.debug("created job {} with id {}", job.name, job.id)
    return CreatedJob(job, created, plan.warnings, plan.inputs)


def _queues(
    session: Session, name: str, queue_url: str | None, dlq_url: str | None
) -> tuple[str, str, tuple[str, ...]]:
    """The URLs of a new job's queue and dead-letter queue, and the names of those that were created.

    Raises:
        ConflictError, NotFoundError, SettingsError: as :func:`create_job`.
    """
    if (queue_url is None) != (dlq_url is None):
        raise SettingsError(
            "--queue-url and --dlq-url go together: give both, or none and let BEC create the queues"
        )
    if queue_url and queue_url == dlq_url:
        raise ConflictError(f"{queue_url} can't be both the job's queue and its dead-letter queue: give two")
    if queue_url and dlq_url:
        for url in (queue_url, dlq_url):
            session.queue(url).stats()  # it must be there, and ours to read
        return queue_url, dlq_url, ()
    kind = session.settings.queue_kind
    queues = create_queues(
        name, kind, database=session.database if kind == "postgres" else None, sqs=session.sqs
    )
    return queues.tasks.url, queues.dead_letters.url, queues.created


def root_of(name: str, config: Mapping[str, Any]) -> str:
    """The first folder of the artifacts of a job of this name and config."""
    return str(config.get("artifact_prefix") or name)


def _refuse_taken_prefix(jobs: Sequence[Job], name: str, config: Mapping[str, Any]) -> None:
    """Two jobs' artifacts in one place would be taken for each other's.

    Runs over folders have stores of their own: theirs lie elsewhere, whatever their prefix.
    """
    root = root_of(name, config)
    for other in jobs:
        if other.name != name and other.artifact_root == root and not is_folder_run(other.name):
            raise ConflictError(
                f"the artifacts of job {other.name} lie in {root}/ already: choose another artifact_prefix in the"
                " config, or say --share-prefix (what that job has done then counts as done, never overwritten unasked)"
            )


def precheck(
    session: Session,
    name: str,
    job_type: str | None,
    config: Mapping[str, Any],
    *,
    share_prefix: bool = False,
    inputs: Mapping[str, str] | None = None,
) -> Plan:
    """The job as :func:`create_job` would create it; nothing is changed.

    Raises:
        ConflictError, JobConfigError, NotFoundError, SettingsError: as there.
    """
    check_name(name)
    chosen, why = choose_type(session, name, job_type)
    warnings = check_config(session, chosen, config)
    found = tuple(bindings(session, name, chosen, inputs or {}))
    warnings += tuple(
        f"{one.how} for the input {one.input.name}: every volume is blocked until it is bound"
        f" (bec jobs update {name} --input {one.input.name}=JOB)"
        for one in found
        if one.job is None
    )
    with session.database.connection() as connection:
        present = rows.list_all(connection)
    if any(job.name == name for job in present):
        raise ConflictError(
            f"there is a job named {name!r} already; see: bec jobs show {name};"
            f" to give it another config: bec jobs update {name}"
        )
    if not share_prefix and not is_folder_run(name):
        _refuse_taken_prefix(present, name, config)
    return Plan(chosen, why, found, warnings)


def update_config(
    session: Session,
    job: Job,
    config: Mapping[str, Any],
    *,
    dry_run: bool = False,
    share_prefix: bool = False,
) -> UpdatedJob:
    """Give a job a new config, kept as its next revision; the same config again changes nothing.

    Raises:
        JobConfigError: the config does not fit the job type.
        ConflictError: it would move the job's artifacts to where another job's lie.
    """
    warnings = check_config(session, job.type, config)
    if job.config == dict(config):
        return UpdatedJob(job, changed=False, warnings=warnings)
    moved = root_of(job.name, config)
    if moved != job.artifact_root:
        if not share_prefix and not is_folder_run(job.name):
            _refuse_taken_prefix(list_jobs(session), job.name, config)
        warnings += (
            f"artifacts go to {moved}/ from now on; what is done already lies in {job.artifact_root}/ and would be"
            " done again if it is asked for",
        )
    if dry_run:
        return UpdatedJob(job, changed=True, warnings=warnings)
    with session.database.connection() as connection:
        updated = rows.update_config(
            connection, job.id, config, artifact_root=moved, shares_prefix=share_prefix
        )
        record(session, connection, updated, "update", config_revision=updated.config_revision)
    return UpdatedJob(updated, changed=True, warnings=warnings)


def ensure_job(
    session: Session,
    *,
    name: str,
    job_type: str,
    config: Mapping[str, Any],
    inputs: Mapping[str, str] | None = None,
) -> Job:
    """The job of this name, created if there is none and brought to this config and these inputs if it has others."""
    try:
        job = find_job(session, name)
    except NotFoundError:
        try:
            return create_job(session, name=name, job_type=job_type, config=config, inputs=inputs).job
        except ConflictError:
            if all(present.name != name for present in list_jobs(session)):
                raise
            job = find_job(session, name)  # who started beside us was first
    if inputs:
        job, _ = rebind(session, job, inputs)
    return update_config(session, job, config).job
