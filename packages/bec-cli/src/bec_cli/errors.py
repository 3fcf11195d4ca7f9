"""``bec errors``: what failed and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import json_option, limit_option, local_time, print_json, session_of
from bec_cli.completion import complete_job
from bec_cli.printing import say
from bec_cli.tables import Column, print_table
from bec_cli.times import SINCE
from bec_core.models import TaskStatus

if TYPE_CHECKING:
    from bec_core.admin.failures import FailedTask, PageErrors
    from bec_core.admin.session import Session
    from bec_core.models import Job

_FAILED = [TaskStatus.RETRYABLE_FAILED.value, TaskStatus.TERMINAL_FAILED.value]

_job = click.option(
    "--job-name", metavar="JOB", shell_complete=complete_job, help="Only this job's (name or id)."
)
_since = click.option("--since", type=SINCE, help="Only since then: 2h, 3d, 2026-01-31.")
_pages = click.option(
    "--pages", is_flag=True, help="Page errors of finished volumes, read from their artifacts."
)


@click.group()
def errors() -> None:
    """What failed and why. To run it again: bec queue redrive."""


@errors.command()
@_job
@_since
@_pages
@limit_option(20)
@json_option
@click.pass_context
def top(
    ctx: click.Context, job_name: str | None, since: datetime | None, pages: bool, limit: int, as_json: bool
) -> None:
    """Show failures in groups of one cause (stage, error type, top frame), the largest first.

    \b
    Examples:
      bec errors top --job-name ldv1
      bec errors top --since 2h
      bec errors top --pages --limit 1000     page errors of the latest 1,000 volumes that have any
    """
    from bec_core.admin.failures import failure_groups, page_error_groups, page_errors

    session, job = _session_and_job(ctx, job_name)
    columns: list[Column]
    if pages:
        of_pages = page_error_groups(page_errors(session, job, since=since, limit=limit))
        if as_json:
            print_json([attrs.asdict(group) for group in of_pages])
            return
        columns = [("Pages", "right"), ("Volumes", "right"), "Stage", "Error", "Example"]
        print_table(
            None,
            columns,
            [(g.pages, g.volumes, g.stage, g.error_type, g.example) for g in of_pages],
        )
        return
    groups = failure_groups(session, job, since=since, limit=limit)
    if as_json:
        print_json([attrs.asdict(group) for group in groups])
        return
    columns = [("Tasks", "right"), "Stage", "Error", "Fingerprint", "Last", ("Example", "right"), "Message"]
    rows = [
        (
            g.tasks,
            g.stage,
            g.error_type,
            g.fingerprint,
            local_time(g.last_at),
            g.example_task,
            g.example_message,
        )
        for g in groups
    ]
    print_table(None, columns, rows)


@errors.command("list")
@_job
@click.option("--status", type=click.Choice(_FAILED), help="Only these.")
@click.option("--error", "error_type", metavar="TYPE", help="Only this error type.")
@click.option("--fingerprint", help="Only this group of: bec errors top")
@_since
@_pages
@limit_option(20)
@json_option
@click.pass_context
def list_(
    ctx: click.Context,
    job_name: str | None,
    status: str | None,
    error_type: str | None,
    fingerprint: str | None,
    since: datetime | None,
    pages: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List the tasks that stand as failed, the latest first; or (--pages) the pages that failed.

    \b
    Examples:
      bec errors list --job-name ldv1 --error StorageError
      bec errors list --pages --json | jq -r .[].source_uri
    """
    from bec_core.admin.failures import failed_tasks, page_errors

    session, job = _session_and_job(ctx, job_name)
    if pages:
        if status or error_type or fingerprint:
            raise click.UsageError("--status, --error and --fingerprint choose among tasks, not --pages")
        _list_pages(page_errors(session, job, since=since, limit=limit), as_json=as_json)
        return
    found = failed_tasks(
        session,
        job,
        status=TaskStatus(status) if status else None,
        error_type=error_type,
        fingerprint=fingerprint,
        since=since,
        limit=limit,
    )
    if as_json:
        print_json([_as_dict(task) for task in found])
        return
    columns: list[Column] = [
        ("Task", "right"), "Job", "Volume", "Status", ("Attempt", "right"), "Stage", "Error", "When", "Message",
    ]  # fmt: skip
    rows = [
        (
            t.id, t.job_name, t.ref, t.status.value, t.attempt, t.error_stage, t.error_type, local_time(t.done_at),
            t.error_message or "",
        )
        for t in found
    ]  # fmt: skip
    print_table(None, columns, rows)


@errors.command()
@click.argument("task_id", type=int, metavar="TASK")
@json_option
@click.pass_context
def show(ctx: click.Context, task_id: int, as_json: bool) -> None:
    """Show all that is known of a task: its error with the traceback, and its failed pages.

    \b
    Example:
      bec errors show 105
    """
    from bec_core.admin.failures import failed_task, page_errors_of
    from bec_core.admin.links import volume_link

    session = session_of(ctx)
    task = failed_task(session, task_id)
    pages = page_errors_of(session, task)
    link = volume_link(session.settings, task.job_name, task.ref)
    if as_json:
        print_json(
            {**_as_dict(task), "link": link, "pages": None if pages.lines is None else list(pages.lines)}
        )
        return
    for name, value in (
        ("Task", f"{task.id} of job {task.job_name}: {task.ref}, version {task.version or '-'}"),
        ("Status", f"{task.status.value}, attempt {task.attempt}, {task.failures} failures counted"),
        ("Started", local_time(task.started_at)),
        ("Ended", local_time(task.done_at)),
        ("Next Try", local_time(task.retry_at)),
        ("Worker", f"{task.worker_name} (id={task.worker_id})" if task.worker_id else None),
        ("Config Revision", task.config_revision),
        ("Pages", f"{task.total_images}, {task.nb_errors} failed" if task.total_images is not None else None),
        ("Stage", task.error_stage),
        ("Error", task.error_type),
        ("Message", task.error_message),
        ("Fingerprint", task.error_fingerprint),
        ("In a browser", link),
    ):
        if value is not None:
            say(f"{name}: {value}")
    if task.error_traceback:
        say(f"\n{task.error_traceback.rstrip()}")
    if pages.lines:
        say("\nPages that failed:")
        for line in pages.lines:
            say(
                f"  {line.get('img_filename')}: {line.get('stage')}: {line.get('error_type')}: {line.get('message')}"
            )


def _session_and_job(ctx: click.Context, job_name: str | None) -> tuple[Session, Job | None]:
    from bec_core.admin.jobs import find_job

    session = session_of(ctx)
    return session, find_job(session, job_name) if job_name else None


def _list_pages(found: list[PageErrors], *, as_json: bool) -> None:
    lines = [
        {"job": errors.task.job_name, "task": errors.task.id, "volume": str(errors.task.ref), **line}
        for errors in found
        for line in errors.lines or ()
    ]
    if as_json:
        print_json(lines)
        return
    rows = [
        (line["task"], line["volume"], line.get("img_filename"), line.get("stage"), line.get("error_type"),
         line.get("message"))
        for line in lines
    ]  # fmt: skip
    print_table(None, [("Task", "right"), "Volume", "Page", "Stage", "Error", "Message"], rows)


def _as_dict(task: FailedTask) -> dict[str, object]:
    return attrs.asdict(task)
