"""``bec volumes``: which volumes, versions, images; done for which jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import json_option, limit_option, local_time, note, print_json, session_of
from bec_cli.completion import complete_job, complete_volume
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
    if as_json:
        print_json([{**attrs.asdict(v), "standing": dict(v.standing)} for v in found])
        return
    columns: list[Column] = [
        ("ID", "right"), "Volume", "Version", ("Images", "right"), "Last Modified", "Jobs",
    ]  # fmt: skip
    rows = [
        (
            v.id,
            f"{v.w_id}/{v.i_id}",
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
    found = show_volume(session_of(ctx), ref.w_id, ref.i_id)
    if as_json:
        print_json(
            [
                {
                    **attrs.asdict(details.volume),
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
