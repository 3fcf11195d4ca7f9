"""What is out of date, and why: by content, never by time. Nothing is done again by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.db import stale as rows
from bec_core.models import Job, VolumeRef


class Reason(StrEnum):
    """Why a result is out of date."""

    INPUT = "input"
    """An input is another one by now: done anew with another result, or bound to another job."""
    CONFIG = "config"
    """The job's config is another one."""
    MODEL = "model"
    """A resource (a model) has another content, or runs in another arithmetic."""
    PLUGIN = "plugin"
    """The plugin's results are of another version."""


@frozen
class Stale:
    """A volume that is out of date; ``reasons`` with a few words for each."""

    ref: VolumeRef
    reasons: Mapping[Reason, str]


def stale_volumes(session: Session, job: Job, *, by: Collection[Reason] = ()) -> list[Stale]:
    """The volumes of a job that are out of date, for any of these reasons (none given: for any)."""
    with session.database.connection() as connection:
        found = [Stale(one.ref, _reasons(one)) for one in rows.stale(connection, job.id)]
    return [one for one in found if not by or any(reason in one.reasons for reason in by)]


def revision_unseen(session: Session, job: Job) -> bool:
    """Whether no worker has started since the job got its present revision; what that changes is not known before."""
    with session.database.connection() as connection:
        return rows.revision_unseen(connection, job.id)


def unknown_volumes(session: Session, job: Job) -> int:
    """How many volumes were done by a recipe that nobody knows (the earlier system's): they are never stale."""
    with session.database.reading() as connection:
        return rows.count_unknown(connection, job.id)


def _reasons(one: rows.StaleVolume) -> Mapping[Reason, str]:
    reasons: dict[Reason, str] = {}
    if one.inputs:
        reasons[Reason.INPUT] = ", ".join(one.inputs)
    if one.now is None or one.was is None:
        return reasons
    if differing := _differing(one.was.get("config"), one.now.get("config")):
        reasons[Reason.CONFIG] = ", ".join(differing)
    if differing := _differing(one.was.get("resources"), one.now.get("resources")):
        reasons[Reason.MODEL] = ", ".join(differing)
    elif one.was.get("arithmetic") != one.now.get("arithmetic"):
        reasons[Reason.MODEL] = f"{one.was.get('arithmetic')} → {one.now.get('arithmetic')}"
    versions = [str(contents.get("results_version")) for contents in (one.was, one.now)]
    if versions[0] != versions[1] or one.was.get("job_type") != one.now.get("job_type"):
        reasons[Reason.PLUGIN] = " → ".join(f"results {version}" for version in versions)
    return reasons or {Reason.PLUGIN: "another recipe"}


def _differing(was: Any, now: Any) -> list[str]:
    """The names whose values differ."""
    before, after = (dict(one) if isinstance(one, Mapping) else {} for one in (was, now))
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
