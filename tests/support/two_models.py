"""Line detection and OCR in little: ``finder`` finds by its config what ``teller`` tells again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from bec_core import ReportVolume
from bec_core.job import Input, JobType, TaskContext, WorkerSetup
from bec_core.job_config import option
from bec_core.models import TaskResult
from support.reading_job import READER


@attrs.frozen(kw_only=True)
class FinderConfig:
    """The job's config."""

    model: str = option("old", "The model that it finds with.")


class Finder:
    """Its worker: volumes whose pages say ``hard`` are found otherwise by another model."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._model = setup.config.model

    def run(self, ctx: TaskContext) -> TaskResult:
        found = []
        for page in ctx.volume.pages:
            hard = ctx.read_page(page).data.startswith(b"hard")
            found.append(f"{self._model if hard else 'any'} model")
            ctx.page_done(page)
        ctx.write_artifact(".json", "\n".join(found).encode())
        return TaskResult()

    def close(self) -> None:
        pass


def write_comparison(
    pairs: Sequence[tuple[ReportVolume, ReportVolume]], directory: Path, *, names: tuple[str, str]
) -> Path:
    """Write which volumes differ."""
    directory.mkdir(parents=True, exist_ok=True)
    differ = [one.volume.ref.i_id for one, other in pairs if one.artifact(".json") != other.artifact(".json")]
    (directory / "differ.txt").write_text("\n".join(sorted(differ)))
    return directory / "differ.txt"


FINDER = JobType(
    name="finder",
    config=FinderConfig,
    worker="support.two_models:Finder",
    version="1.0",
    summary="Finds by a model.",
    compare="support.two_models:write_comparison",
)

TELLER = attrs.evolve(
    READER,
    name="teller",
    family="telling",
    inputs=(Input("lines", type="finder", artifacts=(".json",)),),
)
