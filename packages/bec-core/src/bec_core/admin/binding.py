"""Which job type a new job has, and which jobs its inputs are bound to, where the operator leaves it open.

A choice that is made for the operator is told; one that could be made in two ways is refused with what there is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from bec_core.admin.actions import record
from bec_core.admin.session import Session
from bec_core.db import inputs
from bec_core.db import jobs as rows
from bec_core.db.inputs import BoundInput
from bec_core.errors import ConflictError, NotFoundError, SettingsError
from bec_core.job import Input
from bec_core.models import Job

__all__ = [
    "FOLDER_RUN_PREFIX", "Binding", "BoundInput", "all_bound_inputs", "bindings", "bound_inputs", "choose_type",
    "is_folder_run", "parse_inputs", "readers_of", "rebind",
]  # fmt: skip

FOLDER_RUN_PREFIX = "run-"
"""What the names of jobs begin with that ``bec run`` makes."""

_FAMILY = re.compile(r"[A-Za-z]+")


@frozen
class Binding:
    """An input and the job that it is to be bound to (None: there is none yet); ``how`` it was found, in words."""

    input: Input
    job: Job | None
    how: str

    @property
    def job_id(self) -> int | None:
        """The job's id, if there is one."""
        return self.job.id if self.job else None


def is_folder_run(name: str) -> bool:
    """Whether a job's name is one that ``bec run`` makes."""
    return name.startswith(FOLDER_RUN_PREFIX)


def choose_type(session: Session, name: str, given: str | None) -> tuple[str, str | None]:
    """A new job's type, and a sentence if it was not simply the one given or of the job's name.

    Without one given: the type of the job's name, else the one that the name begins with (``ocrv1-new``), else the one
    whose family it begins with (``ocr``, ``ocr-new``, ``ldv2``). Where nothing fits, the name itself: another machine
    may have the plugin.

    Raises:
        SettingsError: several types are of that family.
    """
    known = session.plugins.job_types
    if given is not None or name in known:
        return given or name, None
    if longer := [one for one in known if name.startswith((f"{one}-", f"{one}_"))]:
        chosen = max(longer, key=len)
        return chosen, f"job type {chosen}, which its name begins with"
    found = _FAMILY.match(name)
    family = found[0] if found else name
    fitting = sorted(one.name for one in known.values() if one.family == family)
    if len(fitting) > 1:
        raise SettingsError(
            f"several job types are of the family {family}: choose one with --type {'|'.join(fitting)}"
        )
    if fitting:
        return fitting[0], f"job type {fitting[0]}, the only one of the family {family}"
    return name, None


def parse_inputs(given: Sequence[str]) -> dict[str, str]:
    """``name=JOB`` as typed.

    Raises:
        SettingsError: it is something else, or an input is named twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, job_name = text.partition("=")
        if not (name and equals and job_name):
            raise SettingsError(f"--input {text} is not NAME=JOB (such as lines=ldv1)")
        if name in found:
            raise SettingsError(f"the input {name} is given twice")
        found[name] = job_name
    return found


def bindings(session: Session, name: str, job_type: str, given: Mapping[str, str]) -> list[Binding]:
    """The jobs that the inputs of a new job ``name`` are bound to.

    What is not given is the only job of the input's type, else the one *named* as that type (or family).

    Raises:
        SettingsError: an input is given that the job type has not, or nobody here knows which it has.
        NotFoundError: a job is given that there is not.
        ConflictError: a job is given that is of another type, or several would do and none is given.
    """
    if given and job_type not in session.plugins.job_types:
        raise SettingsError(
            f"no plugin here brings the job type {job_type!r}, so its inputs can't be bound: call this where it is"
            " installed"
        )
    declared = session.plugins.job_types[job_type].inputs if job_type in session.plugins.job_types else ()
    by_name = {one.name: one for one in declared}
    if unknown := sorted(set(given) - set(by_name)):
        has = ", ".join(by_name) or "none"
        raise SettingsError(f"the job type {job_type} has no input {', '.join(unknown)} (it has: {has})")
    if not by_name:
        return []
    with session.database.connection() as connection:
        present = rows.list_all(connection)
    return [
        _given(session, present, by_name[slot], given[slot], name)
        if slot in given
        else _found(session, present, by_name[slot], name)
        for slot in by_name
    ]


def _given(session: Session, present: Sequence[Job], slot: Input, job_name: str, reader: str) -> Binding:
    job = next((one for one in present if job_name in (one.name, str(one.id))), None)
    if job is None:
        names = ", ".join(one.name for one in present if _fits(session, slot, one)) or "none"
        raise NotFoundError(
            f"there is no job {job_name!r} for the input {slot.name} (jobs of {slot.wanted}: {names})"
        )
    if not _fits(session, slot, job):
        raise ConflictError(
            f"the input {slot.name} takes jobs of {slot.wanted}; {job.name} is of type {job.type}"
        )
    if job.name == reader:
        raise ConflictError(f"job {reader} can't read itself")
    return Binding(slot, job, "as given")


def _found(session: Session, present: Sequence[Job], slot: Input, reader: str) -> Binding:
    fitting = [
        one for one in present
        if _fits(session, slot, one) and one.name != reader and not is_folder_run(one.name)
    ]  # fmt: skip
    if not fitting:
        return Binding(slot, None, f"there is no job of {slot.wanted} yet")
    if len(fitting) == 1:
        return Binding(slot, fitting[0], f"the only job of {slot.wanted}")
    wanted = slot.type or slot.family
    if namesake := next((one for one in fitting if one.name == wanted), None):
        return Binding(slot, namesake, f"of {len(fitting)} jobs of {slot.wanted} the one named so")
    names = " | ".join(f"{slot.name}={one.name}" for one in fitting)
    raise ConflictError(f"several jobs are of {slot.wanted}: choose with --input {names}")


def _fits(session: Session, slot: Input, job: Job) -> bool:
    if slot.type is not None:
        return job.type == slot.type
    found = session.plugins.job_types.get(job.type)
    return found is not None and slot.takes(found)


def bound_inputs(session: Session, job: Job) -> list[BoundInput]:
    """The job's inputs, as they are bound."""
    with session.database.reading() as connection:
        return inputs.bound(connection, job.id)


def all_bound_inputs(session: Session) -> dict[int, list[BoundInput]]:
    """The inputs of every job that has any, by the job's id: which job reads which."""
    with session.database.reading() as connection:
        return inputs.bound_of_all(connection)


def readers_of(session: Session, job: Job) -> list[str]:
    """The names of the jobs that read this one."""
    with session.database.reading() as connection:
        return inputs.readers(connection, job.id)


def rebind(
    session: Session, job: Job, given: Mapping[str, str], *, follow: bool | None = None, dry_run: bool = False
) -> tuple[Job, list[Binding]]:
    """Bind inputs anew, as the job's next revision. What is done by the old ones is out of date; nothing is redone.

    Raises:
        SettingsError, NotFoundError, ConflictError: as :func:`bindings`, or jobs would read each other in a circle.
    """
    found = [one for one in bindings(session, job.name, job.type, given) if one.input.name in given]
    with session.database.connection() as connection:
        before = {one.name: one for one in inputs.bound(connection, job.id)}
        if follow is not None and not before and not found:
            raise SettingsError(f"job {job.name} has no input, so it has nothing to follow")
        for one in found:
            if one.job is not None and inputs.reaches(connection, one.job.id, job.id):
                raise ConflictError(
                    f"job {one.job.name} reads {job.name} (directly or through others): they would wait for each other"
                )
        changed = [
            one for one in found
            if one.input.name not in before or before[one.input.name].job_id != one.job_id
        ]  # fmt: skip
        if dry_run:
            return job, changed
        for one in changed:
            inputs.bind(connection, job.id, one.input.name, one.job_id, artifacts=one.input.artifacts)
        if follow is not None:
            inputs.set_follow(connection, job.id, follow)
        if changed:
            inputs.look_again(connection, job.id)
            job = rows.update_config(
                connection, job.id, job.config, artifact_root=job.root, shares_prefix=job.shares_prefix
            )
        bound = {one.input.name: one.job.name if one.job else None for one in changed}
        if changed or follow is not None:
            record(session, connection, job, "update", inputs=bound, follow=follow)
    return job, changed
