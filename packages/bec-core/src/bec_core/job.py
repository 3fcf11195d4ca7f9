"""What a plugin author writes against: a job type, its worker, and the context of one task.

A job never sees a queue, a database or a bucket: it reads pages and writes artifacts through its
:class:`TaskContext`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, TypeVar, runtime_checkable

from attrs import evolve, field, frozen

from bec_core.models import Page, PageData, PageFailure, TaskResult, Volume, Work

if TYPE_CHECKING:
    from loguru import Logger

R = TypeVar("R")


@frozen
class Metric:
    """A figure that a job gives of each volume (``ctx.metrics``), and how a job's volumes are added up.

    Attributes:
        name: a word of letters, digits and ``_``.
        doc: what it means, in a few words.
        weight: the metric by which it is weighed (``"chars"``: a mean over all characters); None: a plain sum.
        better: which change is for the better; None: neither.
        percent: shown as a percentage.
        drift: by how much its mean over the volumes done last may differ from that over those before (for the
            worse, where that is known) before the job's brake pauses it; needs a weight. None: by any.
        labels: the words that its values stand for, from 0 on (``("good", "look", "bad")``); volumes are then counted
            by word, and nothing is added up. Empty: it is a number.
    """

    name: str
    doc: str
    weight: str | None = None
    better: Literal["lower", "higher"] | None = None
    percent: bool = False
    drift: float | None = None
    labels: tuple[str, ...] = ()

    def word(self, value: float) -> str | None:
        """The word that a value stands for; None where there is none."""
        return (
            self.labels[int(value)] if float(value).is_integer() and 0 <= value < len(self.labels) else None
        )

    def shown(self, value: float | None, *, signed: bool = False) -> str | None:
        """A value for people; None stays None. A difference has a sign; one of percentages is in points."""
        if value is None:
            return None
        if word := self.word(value):
            return word
        sign = "+" if signed else ""
        if self.percent:
            return f"{value * 100:{sign}.2f} {'points' if signed else '%'}"
        return f"{value:{sign},.0f}" if float(value).is_integer() else f"{value:{sign},.4g}"


@frozen
class Resource:
    """A file or folder that a worker needs beside the pages (a model, ground truth), found and checked by the runtime.

    Where it is: ``bec worker --resource NAME=PLACE`` or its own ``option``; else the job's config (``resources``); else
    its own ``environment`` variable. A place is a path, an ``s3://`` or an ``https://`` URL, with ``#sha256=…``.

    Attributes:
        name: a word of letters, digits and ``_``.
        doc: what it is, in a few words.
        required: without it no worker starts.
        folder: a folder, or an S3 prefix, in place of one file.
        environment: a variable that may name it on this machine.
        option: an option of ``bec worker`` and ``bec run`` that may name it (``"--model-path"``).
    """

    name: str
    doc: str
    required: bool = False
    folder: bool = False
    environment: str | None = None
    option: str | None = None


@frozen
class ResourceFile:
    """A resource as it lies on this machine.

    Attributes:
        path: the file or folder.
        sha256: of the file; of a folder, the hash of its files' names and hashes.
        url: where it came from.
    """

    path: Path
    sha256: str
    url: str


@frozen
class Input:
    """What a job type reads of another job, volume by volume; each job binds it to one job when it is created.

    Attributes:
        name: the slot's, for ``ctx.input(name)`` and ``bec jobs create --input name=JOB``.
        type: the job type that it can be bound to …
        family: … or the family: any job type that declares it. Exactly one of the two.
        artifacts: suffixes of what it reads; a volume that is done there without one of them fails for good.
    """

    name: str
    type: str | None = None
    family: str | None = None
    artifacts: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if (self.type is None) == (self.family is None):
            raise ValueError(f"the input {self.name!r} must name either a job type or a family")

    @property
    def wanted(self) -> str:
        """What it can be bound to, in words."""
        return f"type {self.type}" if self.type is not None else f"family {self.family}"

    def takes(self, job_type: JobType) -> bool:
        """Whether it can be bound to jobs of that type."""
        return self.type == job_type.name if self.type is not None else self.family == job_type.family


@frozen
class JobType:
    """A kind of job, as a plugin declares it.

    Attributes:
        name: what ``jobs.type`` holds and operators type; it matches exactly.
        config: an attrs class; a job's config is structured and checked against it. Its fields'
            ``metadata["doc"]`` says what they mean.
        worker: import path ``package.module:factory`` of a ``WorkerFactory``; imported only by workers.
        version: the plugin's version, kept with every task.
        summary: one line for listings.
        inputs: what it reads of other jobs.
        report: import path of a ``Reporter`` that turns finished volumes into a report for people, or None.
        compare: import path of a ``Comparer`` that shows what differs between two runs, or None.
        figures: import path of a ``FiguresReader``, which reads the metrics of a result that was finished before they
            were declared, and its pages' levels; or None.
        truth: import path of a ``TruthMaker``'s class, which makes ground truth of pages that people marked; or None.
        results_version: raised by its author whenever results change; what was done by an earlier one is out of date.
        family: what kind of results it gives (``ocr``), where several job types give the same kind.
        resources: the files and folders that its workers may be given.
        metrics: the figures that it gives of each volume.
        settings: an attrs class of what the environment may say to its workers, as ``BEC_{TYPE}_{FIELD}``; or None.
    """

    name: str
    config: type[Any]
    worker: str
    version: str
    summary: str
    inputs: tuple[Input, ...] = ()
    report: str | None = None
    compare: str | None = None
    figures: str | None = None
    truth: str | None = None
    results_version: str = "1"
    family: str | None = None
    resources: tuple[Resource, ...] = ()
    metrics: tuple[Metric, ...] = ()
    settings: type[Any] | None = None

    def variable(self, name: str) -> str:
        """The environment's variable of the field ``name`` of ``settings``."""
        return f"BEC_{re.sub('[^A-Za-z0-9]+', '_', self.name)}_{name}".upper()


@frozen
class Ingredients:
    """What besides the config decides results, known once the worker is built.

    Attributes:
        resources: SHA-256 by name of what was loaded (``{"model": "…"}``).
        arithmetic: ``float32``, ``half``, ``int8`` …; empty where it makes no difference.
    """

    resources: Mapping[str, str] = field(factory=dict)
    arithmetic: str = ""


@frozen
class WorkerSetup:
    """What a worker is built from, once per process.

    Attributes:
        config: the job's config, structured as the plugin's config class.
        concurrency: how many threads may call ``run`` at the same time: two for each task of ``--concurrency``, for the
            next volume begins while the last pages of one are at work.
        options: the operator's per-process wishes (``threads`` …); unknown ones are to be ignored.
        resources: the declared resources that were given, by name.
        declared: the names of all declared resources, given or not.
        settings: the job type's own settings, structured as its ``settings`` class; None without one.
        declared_by_others: what the job's workers said that they work with, the newest first.
    """

    config: Any
    concurrency: int = 1
    options: Mapping[str, Any] = field(factory=dict)
    resources: Mapping[str, ResourceFile] = field(factory=dict)
    declared: tuple[str, ...] = ()
    settings: Any = None
    declared_by_others: tuple[Ingredients, ...] = ()

    def pinned_arithmetic(self, resources: Mapping[str, str]) -> str:
        """What the job's workers calculate in with resources of these SHA-256; empty: none has worked with them.

        A worker that chooses its arithmetic follows, or is refused with a reason: one job's results are of one kind.
        """
        with_them = (said for said in self.declared_by_others if dict(said.resources) == dict(resources))
        return next((said.arithmetic for said in with_them), "")

    def resource(self, name: str) -> ResourceFile | None:
        """The resource of this name; None if it was not given.

        Raises:
            ValueError: the job type declares no such resource.
        """
        if name not in self.declared and name not in self.resources:
            raise ValueError(
                f"{name!r} is no declared resource (declared: {', '.join(self.declared) or 'none'})"
            )
        return self.resources.get(name)


class StopSignal(Protocol):
    """Tells a job that it must stop."""

    def is_set(self) -> bool:
        """True once the job must stop."""
        ...

    def check(self) -> None:
        """Raise the reason (a :class:`~bec_core.errors.TaskStopped`) once the job must stop."""
        ...


class InputVolume(Protocol):
    """What the job behind an input has done of a volume, at the same version. May be used from several threads."""

    @property
    def job(self) -> str:
        """The name of the job that the input is bound to."""
        ...

    @property
    def basename(self) -> str:
        """What its artifacts' names begin with."""
        ...

    @property
    def marker(self) -> Mapping[str, Any]:
        """The content of its ``success.json``."""
        ...

    def read(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``. What was read is kept with the result, by content.

        Raises:
            InputArtifactMissing: the input has no such artifact; the message lists those it has.
        """
        ...

    def open(self, suffix: str) -> BinaryIO:
        """The same as a stream, to be closed."""
        ...


class TaskContext(Protocol):
    """One task, as its job sees it. All methods may be called from several threads at once."""

    @property
    def config(self) -> Any:
        """The job's config, structured as the plugin's config class."""
        ...

    @property
    def volume(self) -> Volume:
        """The volume at this version; ``volume.pages`` are in reading order."""
        ...

    @property
    def basename(self) -> str:
        """``{W_ID}-{I_ID}-{version}``: what artifacts' names begin with."""
        ...

    @property
    def attempt(self) -> int:
        """1 for the first time that this task is tried."""
        ...

    @property
    def stop(self) -> StopSignal:
        """To be checked between pages."""
        ...

    @property
    def log(self) -> Logger:
        """The log (loguru's), every line with job, volume, task and attempt."""
        ...

    def map_pages(
        self,
        function: Callable[[Page, PageData], R],
        *,
        returns: type[R],
        threads: int | None = None,
        processes: int | None = None,
        prepare: Callable[[], object] | None = None,
        pages: Iterable[Page] | None = None,
    ) -> Iterator[tuple[Page, R | None]]:
        """Each page with what ``function`` makes of it, in the pages' order; None for a page that failed.

        Pages are fetched ahead and worked on side by side, in a pool that all volumes of this worker share. Progress,
        stop checks, times and failures are the runtime's: a page whose ``function`` raises has failed (a
        :class:`~bec_core.errors.PageError` says at which stage; one that is ``retryable`` is tried once more), and
        :meth:`failure` tells why. Errors of the whole task (:class:`~bec_core.errors.RetryableTaskError`,
        :class:`~bec_core.errors.TerminalTaskError`, :class:`~bec_core.errors.TaskStopped`) end it.

        Args:
            function: called with a page and its bytes, from several threads (or processes) at once.
            returns: what it returns: an attrs class whose fields have types, or ``bytes``.
            threads: at most so many pages at a time; default: the operator's ``--threads``, else one for each core.
            processes: work in so many processes instead, for what keeps Python's lock. ``function`` must be picklable:
                a module's own function, or a ``functools.partial`` of one.
            prepare: called once in each process before its first page, while the first ones are fetched: load there
                what is heavy. Picklable too. What it raises is no page's failure: it ends the task as a fault of the
                machine, and so does a process that ends in it.
            pages: these instead of all.

        Raises:
            TerminalTaskError: ``function`` returned something else than ``returns``.
        """
        ...

    def failure(self, page: Page) -> PageFailure | None:
        """Why the page failed; None if it did not."""
        ...

    def timed(self, stage: str) -> AbstractContextManager[None]:
        """Count the block's time under ``stage``; an unforeseen error of a page in it is of that stage too."""
        ...

    def read_page(self, page: Page) -> PageData:
        """The page's bytes.

        Raises:
            PageError: stage ``fetch``: the page is not there or too large, or (retryable) the store is in trouble.
        """
        ...

    def page_done(self, page: Page) -> None:
        """Say that the page is finished, well or badly: progress and the stall timeout hang on it."""
        ...

    def page_failed(self, page: Page, error: BaseException, *, data: PageData | None = None) -> None:
        """Record that the page failed; the runtime writes ``{basename}-errors.jsonl`` from these."""
        ...

    def write_artifact(self, suffix: str, data: bytes) -> None:
        """Stage the artifact ``{basename}{suffix}``; it is published when the task succeeds."""
        ...

    def input(self, name: str) -> InputVolume:
        """What the job bound to this input has done of the volume; it is done when the task starts."""
        ...

    def open_artifact(self, suffix: str) -> AbstractContextManager[BinaryIO]:
        """A stream to write a large artifact to: it grows on disk, and is staged when the block ends without error.

        It can be written at its end only (no ``seek``).
        """
        ...

    def temporary_file(self) -> AbstractContextManager[BinaryIO]:
        """A file for what does not fit into memory, to write and to read; it is gone when the block ends."""
        ...

    def metrics(self, **values: float) -> None:
        """Give figures of this volume, which the job type declares; the latest of a name counts.

        Raises:
            ValueError: a name that is not declared, or a value that is no finite number.
        """
        ...


class JobWorker(Protocol):
    """What does the work; built once per process, ``run`` may be called from several threads."""

    def run(self, ctx: TaskContext) -> TaskResult:
        """Process one volume."""
        ...

    def close(self) -> None:
        """Release everything (threads, device memory)."""
        ...


@runtime_checkable
class WithIngredients(Protocol):
    """What a worker has besides if it loads a model or chooses an arithmetic."""

    @property
    def ingredients(self) -> Ingredients:
        """What it works with; part of the recipe by which results are known to be up to date."""
        ...


def ingredients_of(worker: JobWorker, resources: Mapping[str, ResourceFile] | None = None) -> Ingredients:
    """What a worker works with: the ``resources`` that it was given, and what it says itself, which counts."""
    said = worker.ingredients if isinstance(worker, WithIngredients) else Ingredients()
    given = {name: file.sha256 for name, file in (resources or {}).items()}
    return evolve(said, resources={**given, **said.resources})


class WorkerFactory(Protocol):
    """Builds a worker; called once per process."""

    def __call__(self, setup: WorkerSetup) -> JobWorker:
        """Build the worker; what is wrong with the model or the machine is said here."""
        ...


class ReportVolume(Protocol):
    """A finished volume, as a report reads it."""

    @property
    def volume(self) -> Volume:
        """The volume at the version that was processed."""
        ...

    @property
    def basename(self) -> str:
        """What the artifacts' names begin with."""
        ...

    @property
    def work(self) -> Work:
        """What the catalogue says of the volume's work: a stranger's text; empty without a catalogue."""
        ...

    @property
    def marker(self) -> Mapping[str, Any]:
        """The content of ``success.json``."""
        ...

    @property
    def served_at(self) -> str | None:
        """The URL of the volume's page in ``bec serve``, where one is known."""
        ...

    def artifact(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``."""
        ...

    def read_page(self, page: Page) -> PageData:
        """The page's bytes."""
        ...

    def input(self, name: str) -> InputVolume:
        """What the job bound to this input has done of the volume, as it stands now."""
        ...


class Reporter(Protocol):
    """Turns finished volumes into files for people."""

    def __call__(self, volumes: Iterable[ReportVolume], directory: Path) -> Path:
        """Write the report into ``directory`` and return the file to open first.

        The volumes come one after the other (there may be 60,000 of them): iterate once, and keep none.
        """
        ...


class Comparer(Protocol):
    """Shows people what differs between two runs over the same volumes."""

    def __call__(
        self, pairs: Sequence[tuple[ReportVolume, ReportVolume]], directory: Path, *, names: tuple[str, str]
    ) -> Path:
        """Write the comparison into ``directory`` and return the file to open first."""
        ...
