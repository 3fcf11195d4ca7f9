"""``bec jobs stats`` and ``bec jobs tasks``: how a job stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import (
    ago,
    job_argument,
    json_option,
    limit_option,
    print_json,
    session_and_job,
    title_cell,
    title_column,
)
from bec_cli.estimate_lines import print_estimate
from bec_cli.metric_lines import plain_figure, print_metrics
from bec_cli.printing import say
from bec_cli.tables import Column, print_table
from bec_core.models import TaskStatus

if TYPE_CHECKING:
    from bec_core.admin.estimate import Estimate
    from bec_core.admin.statistics import BlockedOn, JobStatistics, StageFigures, TaskRow
    from bec_core.catalogue import Catalogue


@click.command()
@job_argument
@click.option(
    "--hourly-price",
    type=click.FloatRange(0),
    help="What one worker costs an hour: adds the cost so far and left.",
)
@click.option(
    "--stages", is_flag=True, help="Add time and page errors by stage, over the latest 1,000 tasks."
)
@json_option
@click.pass_context
def stats(ctx: click.Context, job_name: str, hourly_price: float | None, stages: bool, as_json: bool) -> None:
    """Show how a job stands: its tasks by status, progress, pages per second, time left.

    \b
    Examples:
      bec jobs stats ldv1
      bec jobs stats ldv1 --hourly-price 0.53 --stages
    """
    from bec_core.admin.estimate import estimate_left
    from bec_core.admin.statistics import job_statistics, stage_figures

    session, job = session_and_job(ctx, job_name)
    figures = job_statistics(session, job, hourly_price=hourly_price)
    estimate = estimate_left(session, job, figures.progress)
    by_stage = stage_figures(session, job, latest=1000) if stages else None
    if as_json:
        data = attrs.asdict(figures, recurse=True)
        data["by_status"] = [
            {**attrs.asdict(t), "avg_duration_ms": t.avg_duration_ms} for t in figures.by_status
        ]
        data["metrics"] = [plain_figure(one) for one in figures.metrics]
        data["estimate"] = attrs.asdict(estimate) if estimate else None
        data["job"] = {"id": job.id, "name": job.name, "status": job.status}
        print_json(
            {**data, **({"stages": [attrs.asdict(s) for s in by_stage]} if by_stage is not None else {})}
        )
        return
    _print(figures, estimate, by_stage)


def _print(figures: JobStatistics, estimate: Estimate | None, stages: list[StageFigures] | None) -> None:
    job = figures.job
    status = "" if job.status.value == "active" else f" — {job.status.value}"
    say(f"Job Statistics: {job.name} (id={job.id}){status}\n")
    columns: list[Column] = [
        "Status", ("Count", "right"), ("Total Images", "right"), ("Total Errors", "right"),
        ("Avg Duration (ms)", "right"),
    ]  # fmt: skip
    rows = [
        (
            t.status.value,
            t.count,
            t.total_images,
            t.total_errors,
            f"{t.avg_duration_ms:.2f}" if t.avg_duration_ms else 0,
        )
        for t in figures.by_status
    ]
    print_table("Task Execution Status", columns, rows)
    say("\nOverall Totals:")
    say(f"  Total Tasks: {figures.total_tasks}")
    say(f"  Total Images: {figures.total_images}")
    say(f"  Total Errors: {figures.total_errors}")
    say(f"  Avg Duration per Task: {_ms(figures.avg_duration_per_task_ms)}")
    say(f"  Avg Duration per Page: {_ms(figures.avg_duration_per_page_ms)}")
    say("  (a task's duration is by the clock; a page's is its own, while others are worked on beside it)")
    _print_progress(figures)
    print_estimate(estimate, figures.cost.hourly_price if figures.cost else None)
    if figures.metrics:
        say()
        print_metrics(figures.metrics)
    if stages is not None:
        say()
        _print_stages(stages)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ms"


def _print_progress(figures: JobStatistics) -> None:
    progress = figures.progress
    say("\nProgress:")
    share = f" ({progress.done / progress.asked:.0%})" if progress.asked else ""
    say(f"  Volumes Asked For: {progress.asked}")
    say(f"  Done: {progress.done}{share}")
    if progress.stale:
        again = f"bec queue enqueue --job-name {figures.job.name} --stale"
        say(
            f"  Out of Date: {progress.stale} (why: bec jobs stale {figures.job.name}; to do them again: {again})"
        )
    say(f"  Running: {progress.running}")
    say(f"  Waiting: {progress.waiting}")
    if progress.blocked:
        why = (
            "; ".join(_blocked(one) for one in progress.blocked_on)
            or "inputs done: released by whoever looks next"
        )
        say(f"  Blocked: {progress.blocked} ({why})")
    if progress.held:
        say(f"  Held Back: {progress.held} (by its canary: bec jobs show {figures.job.name})")
    say(f"  Failed: {progress.failed}")
    speed = "-" if progress.pages_per_s is None else f"{progress.pages_per_s:.2f}"
    say(f"  Pages per Second: {speed} (live workers: {progress.live_workers})")
    say(f"  Time Left: {ago(progress.time_left_s) or 'unknown'}")
    if cost := figures.cost:
        left = "unknown" if cost.left is None else f"{cost.left:.2f}"
        say(
            f"  Cost so Far: {cost.so_far:.2f} ({cost.worker_hours:.1f} worker hours at {cost.hourly_price:g})"
        )
        say(f"  Cost Left: {left}")


def _blocked(one: BlockedOn) -> str:
    """``lines: 800 waiting, 12 failed``: how that input stands."""
    if one.job_name is None:
        return f"{one.input}: bound to no job"
    parts = ((one.waiting, "waiting"), (one.failed, "failed"), (one.not_asked, "not asked for"))
    return f"{one.input}: {', '.join(f'{number} {how}' for number, how in parts if number)}"


def _print_stages(stages: list[StageFigures]) -> None:
    total = sum(stage.total_ms for stage in stages) or 1.0
    columns: list[Column] = [
        "Stage", ("ms per Page", "right"), ("Share", "right"), ("Page Errors", "right"),
    ]  # fmt: skip
    rows = [
        (s.stage, f"{s.total_ms / s.pages:.2f}" if s.pages else None, f"{s.total_ms / total:.0%}", s.errors)
        for s in stages
    ]
    print_table("Stages (page time; latest 1,000 tasks)", columns, rows)


@click.command()
@job_argument
@limit_option(10)
@click.option("--status", type=click.Choice([status.value for status in TaskStatus]), help="Only these.")
@json_option
@click.pass_context
def tasks(ctx: click.Context, job_name: str, limit: int, status: str | None, as_json: bool) -> None:
    """Show the tasks that started last, newest first. Durations are wall clock.

    \b
    Examples:
      bec jobs tasks ldv1
      bec jobs tasks ldv1 --status retryable_failed --limit 50
    """
    from bec_core.admin.statistics import recent_tasks

    session, job = session_and_job(ctx, job_name)
    found = recent_tasks(session, job, limit=limit, status=TaskStatus(status) if status else None)
    if as_json:
        print_json([attrs.asdict(task) | attrs.asdict(session.catalogue.of(task.w_id)) for task in found])
        return
    say(f"Recent Task Executions: {job.name} (id={job.id})\n")
    columns: list[Column] = [
        "ID", "Volume", *title_column(session.catalogue), "Status", ("Images", "right"), ("Errors", "right"),
        ("Duration (s)", "right"), "Worker",
    ]  # fmt: skip
    print_table(None, columns, (_cells(task, session.catalogue) for task in found))


def _cells(task: TaskRow, catalogue: Catalogue) -> tuple[object, ...]:
    known = task.status is not TaskStatus.RUNNING
    return (
        task.id,
        f"{task.w_id}/{task.i_id}",
        *title_cell(catalogue, task.w_id),
        _said(task),
        task.total_images if known else None,
        task.nb_errors if known else None,
        None if not known or task.duration_s is None else f"{task.duration_s:.1f}",
        task.worker_name,
    )


def _said(task: TaskRow) -> str:
    """How a task stands, in a word; that it goes on where an earlier attempt stopped; that it was only interrupted."""
    if task.handed_back:
        return "handed back"
    resumed = f" (resumed at {task.pages_resumed})" if task.pages_resumed else ""
    return f"{task.status.value}{resumed}"
