"""pytest fixtures for a plugin's tests: ``pytest_plugins = ["bec_core.testing.fixtures"]`` in its conftest.

They are opted into, not an entry point, so that installing BEC adds nothing to other projects' tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bec_core.job import JobType, JobWorker
from bec_core.testing.local import LocalTask, local_worker, write_pages

MakeTask = Callable[..., LocalTask]
MakeWorker = Callable[..., JobWorker]


@pytest.fixture
def bec_task(tmp_path_factory: pytest.TempPathFactory) -> MakeTask:
    """Makes a :class:`~bec_core.testing.local.LocalTask`: ``bec_task(JOB_TYPE, {"0001.png": png, …}, config={…})``."""

    def make(job_type: JobType, pages: Mapping[str, bytes] | Path, **arguments: Any) -> LocalTask:
        folder = pages if isinstance(pages, Path) else write_pages(tmp_path_factory.mktemp("pages"), pages)
        return LocalTask(job_type, folder, **arguments)

    return make


@pytest.fixture
def bec_worker() -> Iterator[MakeWorker]:
    """Builds a job's worker, closed after the test: ``bec_worker(JOB_TYPE, {"min_width": 100})``."""
    with ExitStack() as stack:

        def make(job_type: JobType, config: Mapping[str, Any] | None = None, **arguments: Any) -> JobWorker:
            return stack.enter_context(local_worker(job_type, config, **arguments))

        yield make
