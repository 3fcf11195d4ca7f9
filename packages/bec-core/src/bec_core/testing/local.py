"""One task without queue, database or lease: a plugin's unit tests run their job on it.

:class:`LocalTask` is the context that a worker gives a job, over a folder of page images on this machine;
:func:`local_worker` builds the job's worker as ``bec worker`` does. What the job did comes back as a
:class:`LocalOutcome`, which a report can read too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bec_core.archive import folder_sources
from bec_core.artifacts import MARKER_NAME, artifact_of, recipe_of
from bec_core.errors import ObjectNotFound, RetryableTaskError
from bec_core.job import JobType, JobWorker, WorkerSetup, ingredients_of
from bec_core.job_config import structure_job
from bec_core.models import (
    Job,
    JobStatus,
    Page,
    PageData,
    PageFailure,
    TaskResult,
    Volume,
    VolumeRef,
    Work,
)
from bec_core.pages.pools import PagePools
from bec_core.plugins import load_object
from bec_core.resources import NamedResources, ResourceFinder
from bec_core.settings import plugin_settings
from bec_core.worker.context import RunningTask
from bec_core.worker.marker import marker_content, outcome_of
from bec_core.worker.parts import TaskParts
from bec_core.worker.trial import GivenInput, held_by_nobody, plain_basename

Inputs = Mapping[tuple[str, str], bytes | Callable[[Volume], bytes]]
"""``{(input, suffix): artifact}``; a function makes the artifact for the volume at hand. The marker of an input is
``(input, "success.json")``."""

InputsOf = Callable[[Path], Inputs]
"""Makes the artifacts of a job's inputs for a folder of pages."""

_FOLDERS = folder_sources()


LocalInput = GivenInput
"""An input as a test gives it."""


@frozen
class LocalOutcome:
    """What a job did with a :class:`LocalTask`; a :class:`~bec_core.job.ReportVolume`, so reports take it.

    Attributes:
        result: what ``run`` returned.
        volume: the volume.
        basename: what the artifacts' names begin with.
        files: what would be published, by name, without the marker: the job's artifacts and, if a page
            failed, ``{basename}-errors.jsonl``.
        failures: the failed pages in reading order.
        marker: the content of ``success.json``.
        work: nothing: no catalogue is asked.
    """

    result: TaskResult
    volume: Volume
    basename: str
    files: Mapping[str, bytes]
    failures: tuple[PageFailure, ...]
    marker: Mapping[str, Any]
    inputs: Callable[[str], LocalInput] = field(repr=False)
    work: Work = Work()
    served_at: str | None = None

    def input(self, name: str) -> LocalInput:
        """An input, as the task had it."""
        return self.inputs(name)

    def artifact(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``.

        Raises:
            ObjectNotFound: the job wrote none of this name.
        """
        try:
            return self.files[self.basename + suffix]
        except KeyError:
            raise ObjectNotFound(
                f"the job wrote no {self.basename + suffix} (it wrote: {', '.join(self.files) or 'nothing'})"
            ) from None

    def read_page(self, page: Page) -> PageData:
        """The page's bytes."""
        return _FOLDERS.read_page(self.volume, page)

    def save(self, folder: Path) -> list[Path]:
        """Write the artifacts and the marker into ``folder``; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        marker = json.dumps(self.marker, ensure_ascii=False, indent=1).encode()
        written = []
        for name, data in {**self.files, MARKER_NAME: marker}.items():
            (folder / name).write_bytes(data)
            written.append(folder / name)
        return written


class LocalTask(RunningTask):
    """A :class:`~bec_core.job.TaskContext` over the images of ``folder``, in natural order of their names.

    It is the worker's own context, so suffixes, page errors and inputs are treated as in production;
    only the policy is left to the caller: no page error rate fails it, and nothing is tried again.

    Args:
        job_type: the job.
        folder: the page images; the volume is called W1TEST/I0001.
        config: the job's config as JSON would say it; default: the defaults.
        inputs: the artifacts of its inputs, or what makes them for a folder; an input without any is not done.
        attempt: which attempt this is.
        parts: what an earlier attempt kept of its pages, and where this one keeps them.
        pools: the threads and processes that work on pages, which several tasks may share; the caller closes them.
            Default: its own, which end with it.

    Raises:
        JobConfigError: the config does not fit the job type.
        ManifestMissing: there is no such folder.
    """

    def __init__(
        self,
        job_type: JobType,
        folder: Path,
        *,
        config: Mapping[str, Any] | None = None,
        inputs: Inputs | InputsOf | None = None,
        attempt: int = 1,
        parts: TaskParts | None = None,
        pools: PagePools | None = None,
    ) -> None:
        self.job_type = job_type
        self._job_config = dict(config or {})
        self._artifacts = dict(inputs(folder) if callable(inputs) else inputs or {})
        typed, _ = structure_job(self._job_config, job_type)
        volume = _FOLDERS.resolve(VolumeRef("W1TEST", "I0001", folder.resolve().as_uri()))
        self._own_pools = None if pools else PagePools()
        super().__init__(
            config=typed,
            held=held_by_nobody(volume, attempt=attempt),
            basename=plain_basename(volume),
            sources=_FOLDERS,
            inputs=self._local_input,
            on_page=lambda _: None,
            metrics=job_type.metrics,
            pools=pools or self._own_pools,
            bound={"job": job_type.name},
            parts=parts,
        )

    def run(self, worker: JobWorker) -> LocalOutcome:
        """Let the worker do the task.

        Raises:
            TaskStopped: ``self.stop.set(reason)`` was called meanwhile.
            TypeError: the job returned something else than a TaskResult.
        """
        try:
            return self._run(worker)
        finally:
            self.release()
            if self._own_pools is not None:
                self._own_pools.close()

    def _run(self, worker: JobWorker) -> LocalOutcome:
        result = worker.run(self)
        self.stop.check()
        if not isinstance(result, TaskResult):
            raise TypeError(f"{self.job_type.name}'s run returned {result!r}, not a TaskResult")
        result = self.complete(result)
        files = {
            name: data if isinstance(data, bytes) else data.read() for name, data in self.files().items()
        }
        artifacts = [artifact_of(name, data) for name, data in files.items()]
        outcome = outcome_of(self._held, self, result)
        recipe = recipe_of(self.job_type, self.config, ingredients_of(worker))
        marker = marker_content(self._job(), self.job_type, recipe, 1, self._held, result, outcome, artifacts)
        return LocalOutcome(
            result, self.volume, self.basename, files, tuple(self.failures), marker, self._local_input
        )

    def _local_input(self, name: str) -> LocalInput:
        if name not in {one.name for one in self.job_type.inputs}:
            raise ValueError(f"{self.job_type.name} declares no input {name!r}")
        found = {suffix: made for (owner, suffix), made in self._artifacts.items() if owner == name}
        if not found:
            raise RetryableTaskError(f"the input {name} has not done {self.volume.ref} yet")
        files = {s: made(self.volume) if callable(made) else made for s, made in found.items()}
        marker = json.loads(files.pop(MARKER_NAME, b"{}"))
        return LocalInput(name, self.basename, files, marker)

    def _job(self) -> Job:
        now = datetime.now(UTC)
        return Job(
            id=1,
            name=self.job_type.name,
            type=self.job_type.name,
            config=self._job_config,
            config_revision=1,
            status=JobStatus.ACTIVE,
            queue_url="",
            dlq_url="",
            created_at=now,
            updated_at=now,
        )


@contextmanager
def local_worker(
    job_type: JobType,
    config: Mapping[str, Any] | None = None,
    *,
    resources: Mapping[str, Path] | None = None,
    environment: Mapping[str, str] | None = None,
    concurrency: int = 1,
    options: Mapping[str, Any] | None = None,
) -> Iterator[JobWorker]:
    """Build the job's worker from its import path, and close it at the end.

    ``resources`` are files and folders by the resources' names, ``environment`` what the job type's own settings and
    resources may read.

    Raises:
        JobConfigError: the config does not fit the job type.
        SettingsError: a resource is missing, or a setting is bad.
        PluginError: the worker can't be imported.
    """
    typed, runtime = structure_job(config or {}, job_type)
    named = NamedResources({name: str(path) for name, path in (resources or {}).items()})
    named.check([job_type])
    finder = ResourceFinder(None, named, dict(environment or {}))
    setup = WorkerSetup(
        typed,
        concurrency=concurrency,
        options=dict(options or {}),
        resources=finder.find(job_type, runtime.resources),
        declared=tuple(resource.name for resource in job_type.resources),
        settings=plugin_settings(finder.environment, job_type),
    )
    with closing(load_object(job_type.worker)(setup)) as worker:
        yield worker


def write_pages(folder: Path, pages: Mapping[str, bytes]) -> Path:
    """Write page files (name to bytes) into ``folder``, which is made if need be; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in pages.items():
        (folder / name).write_bytes(data)
    return folder
