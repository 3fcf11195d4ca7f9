"""The conformance kit: :func:`check_job_type` runs a job type through what the runtime expects of it.

A plugin author calls it in one test; ``bec plugins check`` does the same for an installed plugin. Everything that
does not conform is named at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bec_core.declared import shape_problems
from bec_core.job import JobType
from bec_core.job_config import structure_job
from bec_core.testing.declaration import declaration_problems
from bec_core.testing.local import Inputs, InputsOf
from bec_core.testing.probe import Probe
from bec_core.testing.running import running_problems

NO_IMAGE = b"this is no image"


def check_job_type(
    job_type: JobType,
    *,
    pages: Mapping[str, bytes],
    bad_page: bytes | None = NO_IMAGE,
    plugin: str | None = None,
    config: Mapping[str, Any] | None = None,
    inputs: Inputs | InputsOf | None = None,
    resources: Mapping[str, Path] | None = None,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    same: Callable[[str, bytes, bytes], bool] | None = None,
    stop_within_s: float = 10.0,
    run_within_s: float = 120.0,
    only_these: bool = False,
) -> None:
    """Check a job type's declaration, then run its worker on ``pages`` again and again.

    Checked: the plugin is light to import; name, config fields and their defaults; the import paths; counts
    that agree with the page calls; that a bad page and a missing page are page errors; that two runs, also
    at the same time, give the same artifacts, and so does one that is interrupted and goes on where it stopped;
    that the stop signal is heeded; that an input that is not done is retryable; that report and comparison are
    written; that nothing is printed, and no thread is left after ``close``.

    Args:
        job_type: the job type, as its hook returns it.
        pages: good pages by file name (an image's suffix), at least one.
        bad_page: the bytes of a page that must fail, or None if the job takes any bytes. A job that reads
            no page is not given a bad one.
        plugin: the plugin's module; default: the installed entry point's that brings this job type.
        config: the job's config for the runs.
        inputs: for a job with inputs, their artifacts: ``{(input, suffix): bytes}``, or a function that makes them for
            a folder of pages. It runs on several volumes made of ``pages``, so a function suits best.
        resources: files and folders for the runs, by the resources' names.
        environment: what the job type's own settings read, for the runs.
        options: as :class:`~bec_core.job.WorkerSetup` has them.
        same: whether two artifacts of one suffix are the same (suffix, one, other); default: equal bytes.
        stop_within_s: how soon ``run`` must end once it is told to stop.
        run_within_s: how long a run may take at most; one that takes longer counts as hung.
        only_these: every volume has exactly ``pages``, since ``inputs`` know no others.

    Raises:
        AssertionError: naming everything that does not conform.
    """
    problems = find_problems(
        job_type,
        pages=pages,
        bad_page=bad_page,
        plugin=plugin,
        config=config,
        inputs=inputs,
        resources=resources,
        environment=environment,
        options=options,
        same=same,
        stop_within_s=stop_within_s,
        run_within_s=run_within_s,
        only_these=only_these,
    )
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise AssertionError(f"the job type {job_type.name!r} does not conform:\n{listed}")


def find_problems(
    job_type: JobType,
    *,
    pages: Mapping[str, bytes],
    bad_page: bytes | None = NO_IMAGE,
    plugin: str | None = None,
    config: Mapping[str, Any] | None = None,
    inputs: Inputs | InputsOf | None = None,
    resources: Mapping[str, Path] | None = None,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    same: Callable[[str, bytes, bytes], bool] | None = None,
    stop_within_s: float = 10.0,
    run_within_s: float = 120.0,
    only_these: bool = False,
) -> list[str]:
    """What :func:`check_job_type` finds, each problem in a sentence."""
    problems = declaration_problems(job_type, plugin)
    if shape_problems(job_type):
        return problems
    try:
        structure_job(config or {}, job_type)
    except Exception as error:  # noqa: BLE001 - a validator may raise anything
        if config:
            problems.append(f"the config for the runs is refused: {error}")
        return (
            problems  # of the defaults the declaration's checks have said it: without a config nothing runs
        )
    with tempfile.TemporaryDirectory(prefix="bec-conformance-") as folder:
        probe = Probe(
            job_type,
            pages=dict(pages),
            bad_page=bad_page,
            config=dict(config or {}),
            inputs=inputs if callable(inputs) else dict(inputs or {}),
            resources=dict(resources or {}),
            environment=dict(environment or {}),
            options=dict(options or {}),
            same=same or (lambda _, one, other: one == other),
            stop_within_s=stop_within_s,
            run_within_s=run_within_s,
            only_these=only_these,
            folder=Path(folder),
        )
        problems += running_problems(probe)
    return problems
