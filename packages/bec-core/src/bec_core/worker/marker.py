"""What a finished task leaves in its row and in its marker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from bec_core.artifacts import Recipe
from bec_core.db.tasks import Outcome
from bec_core.job import JobType
from bec_core.models import Artifact, Job, TaskResult
from bec_core.worker.context import RunningTask
from bec_core.worker.hold import HeldTask
from bec_core.worker.inputs import Read


def outcome_of(held: HeldTask, context: RunningTask, result: TaskResult) -> Outcome:
    """The figures of a task that ends now: the pages of the volume, and those recorded as failed."""
    pages = len(held.volume.pages)
    return Outcome(
        total_images=pages,
        nb_errors=len(context.failures),
        total_duration_ms=result.page_ms,
        avg_duration_per_page_ms=result.page_ms / max(1, pages),
        wall_clock_duration_ms=held.worked_s * 1000,
        stage_ms=result.stage_ms,
        errors_by_stage=context.errors_by_stage,
        metrics=context.given_metrics,
    )


def marker_content(
    job: Job,
    job_type: JobType,
    recipe: Recipe,
    worker_id: int,
    held: HeldTask,
    result: TaskResult,
    outcome: Outcome,
    artifacts: Sequence[Artifact],
    read: Sequence[Read] = (),
) -> dict[str, Any]:
    """The marker: the contract's keys, then ours."""
    volume = held.volume
    return {
        "job_id": job.id,
        "job_name": job.name,
        "volume": {"w_id": volume.ref.w_id, "i_id": volume.ref.i_id},
        "worker_id": worker_id,
        "task_execution_id": held.claim.task_id,
        "total_images": outcome.total_images,
        "nb_errors": outcome.nb_errors,
        "total_duration_ms": round(outcome.total_duration_ms, 3),
        "avg_duration_per_page_ms": round(outcome.avg_duration_per_page_ms, 3),
        "wall_clock_duration_ms": round(outcome.wall_clock_duration_ms, 3),
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "source": volume.ref.source,
        "version": volume.version,
        "input_etag": volume.etag.hex(),
        "attempt": held.claim.attempt,
        "epoch": held.claim.epoch,
        "request": held.claim.request,
        "pages_resumed": held.pages_resumed,
        "job_type": job_type.name,
        "plugin_version": job_type.version,
        "config": dict(job.config),
        "config_revision": job.config_revision,
        "recipe": recipe.hash,
        "recipe_contents": dict(recipe.contents),
        "lineage": [attrs.asdict(one, filter=attrs.filters.exclude("job_id", "listed")) for one in read],
        "errors_by_stage": dict(outcome.errors_by_stage or {}),
        "stage_ms": {name: round(value, 3) for name, value in result.stage_ms.items()},
        "artifacts": [attrs.asdict(artifact) for artifact in artifacts],
        "metrics": dict(outcome.metrics or {}),
        "details": dict(result.details),
    }
