"""``bec volumes``: which volumes, versions, images; done for which jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import (
    count,
    counting,
    job_argument,
    json_option,
    limit_option,
    local_time,
    note,
    print_json,
    session_and_job,
    session_of,
    title_cell,
    title_column,
)
from bec_cli.completion import complete_job, complete_volume
from bec_cli.exits import Exit
from bec_cli.printing import say
from bec_cli.tables import Column, print_table

if TYPE_CHECKING:
    from bec_core.admin.volumes import VolumeRow

_STANDINGS = [
    "waiting",
    "blocked",
    "held",
    "running",
    "done",
    "failed",
    "retryable_failed",
    "terminal_failed",
]

_STATES = ["waiting", "blocked", "held", "running", "done", "failed"]


@click.group()
def volumes() -> None:
    """Which volumes are done for which jobs."""


@volumes.command("list")
@click.option(
    "--job-name",
    metavar="JOB",
    shell_complete=complete_job,
    help="Only what this job (name or id) is asked for.",
)
@click.option("--status", type=click.Choice(_STANDINGS), help="Only those that stand so with the job.")
@click.option("--prefix", default="", metavar="W_ID", help="Only those whose W_ID begins so.")
@click.option("--after", type=int, default=0, metavar="ID", help="Go on after the volume of this id.")
@limit_option(50)
@json_option
@click.pass_context
def list_(
    ctx: click.Context,
    job_name: str | None,
    status: str | None,
    prefix: str,
    after: int,
    limit: int,
    as_json: bool,
) -> None:
    """List volumes: version, images, and how they stand with each job.

    \b
    Examples:
      bec volumes list --prefix W22084
      bec volumes list --job-name ldv1 --status waiting --limit 1000
    """
    from bec_core.admin.jobs import find_job
    from bec_core.admin.volumes import list_volumes

    if status and not job_name:
        raise click.UsageError("--status goes with --job-name")
    session = session_of(ctx)
    job = find_job(session, job_name) if job_name else None
    found = list_volumes(session, job=job, status=status, beginning=prefix, limit=limit, after=after)
    works = session.catalogue
    if as_json:
        print_json(
            [
                {**attrs.asdict(v), "standing": dict(v.standing), **attrs.asdict(works.of(v.w_id))}
                for v in found
            ]
        )
        return
    columns: list[Column] = [
        ("ID", "right"), "Volume", *title_column(works), "Version", ("Images", "right"), "Last Modified", "Jobs",
    ]  # fmt: skip
    rows = [
        (
            v.id,
            f"{v.w_id}/{v.i_id}",
            *title_cell(works, v.w_id),
            v.etag.hex()[:6] if v.etag else None,
            v.nb_images,
            local_time(v.last_modified_at),
            _standing(v),
        )
        for v in found
    ]
    print_table(None, columns, rows)
    if len(found) == limit:
        note(f"there may be more: --after {found[-1].id}")


@volumes.command()
@job_argument
@click.option(
    "--text", default="", help="What an id begins with, or what stands in a title of the catalogue."
)
@click.option(
    "--state", "states", multiple=True, type=click.Choice(_STATES), help="Only those; may be repeated."
)
@click.option(
    "--where", "wheres", multiple=True, metavar="CONDITION", help="Such as suspicious>=3; may be repeated."
)
@click.option("--sort", "by", default="id", metavar="FIGURE", help="id, done, pages, errors or a metric.")
@click.option("--largest-first", is_flag=True, help="The other way round.")
@click.option("--offset", type=click.IntRange(0), default=0, help="After so many.")
@limit_option(50)
@json_option
@click.pass_context
def find(
    ctx: click.Context,
    job_name: str,
    text: str,
    states: tuple[str, ...],
    wheres: tuple[str, ...],
    by: str,
    largest_first: bool,
    offset: int,
    limit: int,
    as_json: bool,
) -> None:
    """Find a job's volumes by their figures, ids, titles and states.

    A condition is FIGURE>=VALUE, FIGURE<=VALUE or FIGURE=VALUE; the figures are the metrics of the job's type
    (bec plugins show) and pages and errors.

    \b
    Examples:
      bec volumes find ldv1 --where verdict=bad --sort suspicious --largest-first
      bec volumes find ocrv1 --where "confidence<=80%" --sort confidence
    """
    from bec_core.admin.volumes import parse_condition, volumes_found

    session, job = session_and_job(ctx, job_name)
    metrics = session.plugins.job_type(job.type).metrics
    known = ["id", "done", "pages", "errors", *(metric.name for metric in metrics)]
    if by not in known:
        raise click.UsageError(f"--sort {by}: one of {', '.join(known)}")
    conditions = [parse_condition(one, metrics) for one in wheres]
    found = volumes_found(
        session,
        job,
        text=text,
        states=states,
        conditions=conditions,
        by=by,
        descending=largest_first,
        limit=limit,
        offset=offset,
    )
    if as_json:
        rows_of = [attrs.asdict(v) | attrs.asdict(session.catalogue.of(v.w_id)) for v in found.volumes]
        print_json({"total": found.total, "volumes": rows_of})
        return
    shown = [metric for metric in metrics if any(metric.name in v.metrics for v in found.volumes)]
    columns: list[Column] = [
        "Volume", *title_column(session.catalogue), "State", ("Pages", "right"), ("Errors", "right"),
        *((metric.name, "right") for metric in shown), "Marks",
    ]  # fmt: skip
    rows = [
        (
            f"{v.w_id}/{v.i_id}",
            *title_cell(session.catalogue, v.w_id),
            v.state,
            v.pages,
            v.errors,
            *(metric.shown(v.metrics.get(metric.name)) for metric in shown),
            ", ".join(f"{number} {name}" for name, number in v.marks.items()) or None,
        )
        for v in found.volumes
    ]
    print_table(None, columns, rows)
    first = offset + 1 if found.volumes else offset
    note(f"{first:,} to {offset + len(found.volumes):,} of {count(found.total, 'volume')}")


@volumes.command()
@job_argument
@click.option("--limit", type=click.IntRange(1), help="Read so many results at most.")
@json_option
@click.pass_context
def index(ctx: click.Context, job_name: str, limit: int | None, as_json: bool) -> int:
    """Read the figures of what was done before they were declared, so that volumes are found by them.

    What is known stays; the same call goes on where one was interrupted. Exit status: 0 all is known, 6 something was
    skipped, by the reason.

    \b
    Example:
      bec volumes index ldv1
    """
    from bec_core.admin.results import index_results

    session, job = session_and_job(ctx, job_name)
    with counting("Reading results") as progress:
        done = index_results(session, job, limit=limit, progress=progress)
    if as_json:
        print_json(attrs.asdict(done))
    else:
        left = f"; {done.left:,} left" if done.left else ""
        say(f"✓ Read the figures of {count(done.read, 'volume')} of {job.name}{left}")
        for reason, number in sorted(done.skipped.items()):
            note(f"skipped: {number:,}, {reason} ({done.examples[reason]})")
    return Exit.SOME_FAILED if done.skipped else Exit.OK


def _standing(row: VolumeRow) -> str:
    """How a volume stands with each job, for people."""
    return ", ".join(
        f"{name}: {standing}{' (older recipe)' if name in row.stale else ''}"
        for name, standing in row.standing
    )


@volumes.command()
@click.argument("volume", metavar="W_ID,I_ID", shell_complete=complete_volume)
@json_option
@click.pass_context
def show(ctx: click.Context, volume: str, as_json: bool) -> None:
    """Show a volume: its tasks of all jobs and versions, and where their artifacts lie.

    \b
    Examples:
      bec volumes show W22084,I0886
      bec volumes show W22084/I0886 --json
    """
    from bec_core.admin.volume_list import parse_volume
    from bec_core.admin.volumes import show_volume

    ref = parse_volume(volume)
    session = session_of(ctx)
    found, works = show_volume(session, ref.w_id, ref.i_id), session.catalogue
    if as_json:
        print_json(
            [
                {
                    **attrs.asdict(details.volume),
                    **attrs.asdict(works.of(details.volume.w_id)),
                    "standing": dict(details.volume.standing),
                    "tasks": [{**attrs.asdict(task), "artifacts": place} for task, place in details.tasks],
                }
                for details in found
            ]
        )
        return
    columns: list[Column] = [
        ("Task", "right"), "Job", "Version", "Status", ("Attempt", "right"), ("Images", "right"), ("Errors", "right"),
        ("Config", "right"), "Plugin", "Ended", "Error",
    ]  # fmt: skip
    for details in found:
        row = details.volume
        say(f"Volume {row.w_id}/{row.i_id} (id={row.id})")
        work = works.of(row.w_id)
        if work.title:
            say(f"Title: {work.title}")
        if work.link:
            say(f"Link: {work.link}")
        say(f"Version: {row.etag.hex() if row.etag else '-'}")
        say(f"Images: {'-' if row.nb_images is None else row.nb_images}")
        say(f"Last Modified: {local_time(row.last_modified_at) or '-'}")
        say("Jobs: " + (_standing(row) or "-"))
        rows = [
            (t.id, t.job_name, t.version, t.status.value, t.attempt, t.total_images, t.nb_errors, t.config_revision,
             t.plugin_version, local_time(t.done_at), t.error_type)
            for t, _ in details.tasks
        ]  # fmt: skip
        print_table(None, columns, rows)
        for task, place in details.tasks:
            if place and task.status.value == "done":
                say(f"Artifacts of task {task.id}: {place}")
