"""``bec run``: a job over a person's own folder of scans, with artifacts and a report in another folder.

A run is a job of its own, whose name is made from what identifies it (job type, folder, output, config), so that the
same command finds the same job again and goes on with what is left.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from bec_core.admin.asking import Asked, Want, ask
from bec_core.admin.jobs import FOLDER_RUN_PREFIX, ensure_job
from bec_core.admin.session import Session
from bec_core.archive import find_volumes
from bec_core.errors import SettingsError
from bec_core.models import Job, VolumeRef


@frozen
class FolderRun:
    """A run that is ready to be worked on."""

    job: Job
    volumes: tuple[VolumeRef, ...]
    asked: Asked
    output: Path

    @property
    def to_do(self) -> tuple[VolumeRef, ...]:
        """The volumes that a worker looks at: what is done by this config and model it finds done."""
        refused = {ref for ref, _ in self.asked.refused}
        return tuple(ref for ref in self.volumes if ref not in refused)


def prepare(
    session: Session,
    *,
    job_type: str,
    folder: Path,
    output: Path,
    config: Mapping[str, Any] | None = None,
    force: bool = False,
) -> FolderRun:
    """Find the volumes of ``folder``, and ask a job of their own for them.

    What is done is asked for too, for the worker compares it with what it would do (config, model), and an output
    that was deleted is made again; with ``force`` all is done again.

    The session's artifacts must lie in ``output``.

    Raises:
        SettingsError: there is no such folder, or not one image in it.
    """
    session.plugins.job_type(job_type)
    if not folder.is_dir():
        raise SettingsError(f"{folder} is not a folder")
    found = find_volumes(folder, skip=output)
    if not found:
        raise SettingsError(f"there is no image (.jpg, .jpeg, .png, .tif, .tiff) in {folder} or below it")
    # A person sees each bad page in the report, and wants the others all the same.
    settings = {"max_page_error_rate": 1.0, **(config or {}), "artifact_prefix": job_type}
    identity = json.dumps([job_type, str(folder.resolve()), str(output.resolve()), settings], sort_keys=True)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", folder.resolve().name).strip("-")[:24] or "folder"
    name = f"{FOLDER_RUN_PREFIX}{slug}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    job = ensure_job(session, name=name, job_type=job_type, config=settings)
    return FolderRun(
        job, tuple(found), ask(session, job, found, want=Want.FORCE if force else Want.CHECK), output
    )
