"""``bec run``: jobs over a person's own folder of scans, or another place of volumes, with artifacts and a report in
another folder.

A run is a job of its own, whose name is made from what identifies it (job type, place, output, config), so that the
same command finds the same job again and goes on with what is left. Several job types make a chain: each reads what
those before it have done, by type.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bec_core.admin.asking import Asked, ask
from bec_core.admin.binding import FOLDER_RUN_PREFIX
from bec_core.admin.job_making import ensure_job
from bec_core.admin.session import Session
from bec_core.admin.wanted import Want
from bec_core.archive.paths import LOCAL_SUFFIXES
from bec_core.errors import SettingsError
from bec_core.models import Job, VolumeRef
from bec_core.source import stable_id


@frozen
class Stage:
    """A job of a run, as it will be: its name, type and config, and by input the name of the job that it reads."""

    name: str
    job_type: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]


@frozen
class FoundRun:
    """What is to be run: the volumes of its place, a job for each job type, and where the output goes."""

    volumes: tuple[VolumeRef, ...]
    stages: tuple[Stage, ...]
    output: Path
    left_out: Mapping[str, int] = field(factory=dict)


@frozen
class FolderRun:
    """A run of one job that is ready to be worked on; ``left_out``: how many files of its place are in no volume."""

    job: Job
    volumes: tuple[VolumeRef, ...]
    asked: Asked
    output: Path
    left_out: Mapping[str, int] = field(factory=dict)

    @property
    def to_do(self) -> tuple[VolumeRef, ...]:
        """The volumes that a worker looks at: what is done by this config and model it finds done."""
        refused = {ref for ref, _ in self.asked.refused}
        return tuple(ref for ref in self.volumes if ref not in refused)


def check_chain(session: Session, job_types: Sequence[str]) -> list[dict[str, str]]:
    """For each job type of a chain, its inputs and the job type before it that each reads.

    Raises:
        PluginError: no plugin brings one of them.
        SettingsError: one is named twice, or an input finds no job type before it, or several.
    """
    types = [session.plugins.job_type(name) for name in job_types]
    if len(set(job_types)) < len(job_types):
        raise SettingsError(f"{','.join(job_types)}: each job type once")
    found: list[dict[str, str]] = []
    for n, one in enumerate(types):
        reads: dict[str, str] = {}
        for slot in one.inputs:
            fitting = [before.name for before in types[:n] if slot.takes(before)]
            if len(fitting) != 1:
                known = sorted(
                    other.name for other in session.plugins.job_types.values() if slot.takes(other)
                )
                which = " or ".join(fitting or known) or f"one of {slot.wanted}"
                first = "one of them" if len(fitting) > 1 else "it"
                raise SettingsError(
                    f"{one.name} reads the results of {which} as {slot.name}: name {first} before it"
                    f" (bec run {','.join([*(fitting or known)[:1], one.name])} FOLDER)"
                )
            reads[slot.name] = fitting[0]
        found.append(reads)
    return found


def find(
    session: Session,
    *,
    job_types: Sequence[str],
    place: str,
    output: Path,
    source: str | None = None,
    configs: Mapping[str, Mapping[str, Any]] | None = None,
) -> FoundRun:
    """Find the volumes of ``place``, and what the jobs of the run will be; the database is not asked.

    Args:
        session: the services.
        job_types: the job types; each reads those before it.
        place: a folder of scans, or what else a source takes.
        output: where artifacts and report go.
        source: the source that it is for; default: by the place.
        configs: configs by job type.

    Raises:
        SettingsError: there is no such place, or not one image in it; or the job types make no chain.
    """
    reads = check_chain(session, job_types)
    configs = configs or {}
    if unknown := sorted(set(configs) - set(job_types)):
        raise SettingsError(f"a config is given for {', '.join(unknown)}, which is not run")
    found = session.sources.find(place, source=source, skip=output)
    if not found.volumes:
        others = f" (there are: {left_out_words(found.left_out)})" if found.left_out else ""
        raise SettingsError(f"there is no image ({', '.join(LOCAL_SUFFIXES)}) in {place} or below it{others}")
    stages: dict[str, Stage] = {}
    for job_type, inputs in zip(job_types, reads, strict=True):
        # A person sees each bad page in the report, and wants the others all the same.
        config = {"max_page_error_rate": 1.0, **configs.get(job_type, {}), "artifact_prefix": job_type}
        name = _name(job_type, place, source, output, config)
        bound = {slot: stages[other].name for slot, other in inputs.items()}
        stages[job_type] = Stage(name, job_type, config, bound)
    return FoundRun(found.volumes, tuple(stages.values()), output, found.left_out)


def prepare(session: Session, found: FoundRun, *, force: bool = False) -> list[FolderRun]:
    """Ask jobs of their own for the volumes: one for each job type, in this order.

    What is done is asked for too, for the worker compares it with what it would do (config, model, inputs), and an
    output that was deleted is made again; with ``force`` all is done again. What reads an earlier one is blocked until
    that is done.

    The session's artifacts must lie in the run's output.
    """
    jobs = [
        ensure_job(session, name=one.name, job_type=one.job_type, config=one.config, inputs=one.inputs)
        for one in found.stages
    ]
    want = Want.FORCE if force else Want.CHECK
    return [
        FolderRun(
            job, found.volumes, ask(session, job, found.volumes, want=want), found.output, found.left_out
        )
        for job in jobs
    ]


def left_out_words(left_out: Mapping[str, int]) -> str:
    """How many of what, the most first: ``3 .txt, 1 .xml``."""
    return ", ".join(
        f"{number:,} {what}" for what, number in sorted(left_out.items(), key=lambda one: (-one[1], one[0]))
    )


def place_name(place: str) -> str:
    """What a place is called: a folder or file by its name, another place by what of its text can be a file's name."""
    path = Path(place)
    if path.exists():
        return path.resolve().name if path.is_dir() else path.stem
    return stable_id(place.partition("://")[2] or place)


def _name(job_type: str, place: str, source: str | None, output: Path, config: Mapping[str, Any]) -> str:
    where = str(Path(place).resolve()) if Path(place).exists() else place
    told = [job_type, where, str(output.resolve()), config, *([source] if source else [])]
    identity = json.dumps(told, sort_keys=True)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", place_name(place)).strip("-")[:24] or "folder"
    return f"{FOLDER_RUN_PREFIX}{slug}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
