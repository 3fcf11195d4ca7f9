"""What is known of a job's work before a plan is made: by an earlier job, or by doing some pages here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing

from attrs import evolve, frozen

from bec_core.admin.jobs import find_job
from bec_core.admin.planning.figures import Basis, Figure
from bec_core.admin.planning.rates import Machine, Rate, of_rows
from bec_core.admin.planning.work import Stage
from bec_core.admin.ratios import Ratio, ratio
from bec_core.admin.session import Session
from bec_core.artifacts import TaskFolder
from bec_core.db.reads import planning
from bec_core.errors import BecError, ConflictError, PluginError
from bec_core.job import InputVolume
from bec_core.models import Volume, VolumeRef
from bec_core.pages.pools import PagePools
from bec_core.resources import NamedResources, ResourceCache, ResourceFinder
from bec_core.worker.opening import close_worker, load_worker
from bec_core.worker.options import WorkerOptions
from bec_core.worker.trial import GivenInput, Trial, plain_basename, try_pages
from bec_core.worker.workplace import LoadedJob

_TIMED = 1000  # volumes of an earlier job whose times count
_WEIGHED = 50  # … and whose markers are read for the artifacts' sizes
_VOLUMES = 3  # that a trial's pages are of


@frozen
class Measured:
    """A job's rate, and bytes per page that it reads and writes; ``artifacts``: how many it writes of a volume.

    None: not known. ``failed`` are the pages of a trial that failed, ``error`` the first of them. ``processor``:
    seconds of processor time a page, which tell more than the clock where other work kept the machine busy.
    """

    rate: Rate | None = None
    read: Figure | None = None
    written: Figure | None = None
    artifacts: int | None = None
    failed: int = 0
    error: str = ""
    processor: Figure | None = None


def of_job(session: Session, name: str, machine: Machine) -> Measured:
    """What an earlier job's rows and markers tell.

    Raises:
        NotFoundError: there is no such job.
        ConflictError: it has done nothing that was timed.
    """
    job = find_job(session, name)
    with session.database.reading() as connection:
        done = planning.latest_done(connection, job.id, limit=_TIMED)
    rate = of_rows(job.name, [(one.pages, one.seconds) for one in done], machine)
    if rate is None:
        raise ConflictError(f"job {job.name} has done no volume yet: nothing can be told from it")
    sizes: list[tuple[int, int]] = []
    numbers: list[int] = []
    for one in done[:_WEIGHED]:
        ref = VolumeRef(one.w_id, one.i_id)
        volume = Volume(ref, one.etag, one.version or one.etag.hex()[:6], ())
        marker = TaskFolder(session.artifacts, one.root or job.artifact_root, volume).marker()
        if marker is not None and marker.artifacts:
            sizes.append((sum(max(0, artifact.size) for artifact in marker.artifacts), one.pages))
            numbers.append(len(marker.artifacts))
    written = _per_page(sizes, f"the artifacts of {len(sizes)} volumes that {job.name} did last")
    return Measured(rate, None, written, round(sum(numbers) / len(numbers)) if numbers else None)


def by_trial(
    session: Session,
    stages: Sequence[Stage],
    *,
    pages: int,
    machine: Machine,
    resources: NamedResources,
    options: Mapping[str, object],
) -> dict[str, Measured]:
    """Do some pages of the sample here, stage after stage, and measure it; by the stages' names.

    Nothing is published and no row is written. The first volume is done twice, and counts once: what is built or
    traced at first is no part of the rate.

    Raises:
        ConflictError: there is no page to try, or all failed.
        PluginError: a job failed.
    """
    sample = next((stage.work.sample for stage in stages if any(v.pages for v in stage.work.sample)), ())
    volumes = _cut([volume for volume in sample if volume.pages], pages)
    if not volumes:
        raise ConflictError("there is no page to try: name volumes that are there, or say --rate PAGES_PER_S")
    outputs: dict[str, list[GivenInput]] = {}
    found: dict[str, Measured] = {}
    for stage in stages:
        trials = _try(session, stage, volumes, outputs, resources, options)
        outputs[stage.job.name] = [
            GivenInput(stage.job.name, plain_basename(volume), trial.files)
            for volume, trial in zip(volumes, trials, strict=True)
        ]
        found[stage.job.name] = _measured(stage, volumes, trials, machine)
    return found


def _cut(volumes: Sequence[Volume], pages: int) -> list[Volume]:
    """Some volumes with some pages of each, spread over it."""
    chosen = volumes[: min(_VOLUMES, pages)]
    each = -(-pages // max(1, len(chosen)))
    cut = []
    for volume in chosen:
        step = max(1, len(volume.pages) // each)
        some = volume.pages[step // 2 :: step][:each] or volume.pages[:1]
        cut.append(evolve(volume, pages=tuple(evolve(page, index=n) for n, page in enumerate(some))))
    return cut


def _try(
    session: Session,
    stage: Stage,
    volumes: Sequence[Volume],
    outputs: Mapping[str, Sequence[GivenInput]],
    resources: NamedResources,
    options: Mapping[str, object],
) -> list[Trial]:
    job_type = session.plugins.job_type(stage.job.type)
    cache = ResourceCache(session.settings.home / "cache", session.s3)
    finder = ResourceFinder(cache, resources, session.settings.environment)
    worker_options = WorkerOptions(job_options=dict(options), scratch=session.settings.scratch)
    loaded = LoadedJob.of(load_worker(stage.job.config, job_type, worker_options, finder), stage.job)
    try:
        with closing(PagePools(worker_options.job_options.get("threads"))) as pools:
            trials = []
            for number, volume in [(0, volumes[0]), *enumerate(volumes)]:

                def inputs(name: str, number: int = number) -> InputVolume:
                    return outputs[stage.reads[name]][number]

                trials.append(
                    try_pages(
                        loaded,
                        volume,
                        session.sources,
                        inputs=inputs,
                        pools=pools,
                        scratch=worker_options.scratch,
                    )
                )
            return trials[1:]
    except BecError:
        raise
    except Exception as error:
        raise PluginError(f"{job_type.name} failed on the sample: {type(error).__name__}: {error}") from error
    finally:
        close_worker(loaded)


def _measured(stage: Stage, volumes: Sequence[Volume], trials: Sequence[Trial], machine: Machine) -> Measured:
    numbers = [len(volume.pages) for volume in volumes]
    failures = [failure for trial in trials for failure in trial.failures]
    first = f"{failures[0].img_filename}: {failures[0].error_type}: {failures[0].message}" if failures else ""
    if len(failures) >= sum(numbers):
        raise ConflictError(
            f"none of the {sum(numbers)} pages that {stage.job.name} tried could be done; the first: {first}"
        )
    found = ratio([(number, trial.seconds) for number, trial in zip(numbers, trials, strict=True)])
    pages = f"{sum(numbers)} pages of {len(volumes)} volumes"
    why = f"{pages} done here, load {os.getloadavg()[0]:.1f} on {machine.cores:g} cores"
    read = [(trial.bytes_read, number) for trial, number in zip(trials, numbers, strict=True)]
    written = [(sum(map(len, t.files.values())), number) for t, number in zip(trials, numbers, strict=True)]
    spent = [(trial.processor_s, number) for trial, number in zip(trials, numbers, strict=True)]
    processor = ratio(spent)
    kept = [sum(not name.endswith("-errors.jsonl") for name in trial.files) for trial in trials]
    return Measured(
        Rate(_figure(found, why), machine) if found else None,
        _per_page(read, pages),
        _per_page(written, pages),
        max(kept),
        len(failures),
        first,
        _figure(processor, why) if processor else None,
    )


def _per_page(pairs: Sequence[tuple[int, int]], why: str) -> Figure | None:
    found = ratio(pairs)
    return _figure(found, why) if found else None


def _figure(found: Ratio, why: str) -> Figure:
    return Figure(found.value, Basis.MEASURED, why, found.margin)
