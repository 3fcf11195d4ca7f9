"""``bec scale``: a job's group of instances at EC2 Auto Scaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import (
    Command,
    confirm,
    count,
    dry_run_option,
    job_option,
    json_option,
    note,
    print_json,
    session_and_job,
    yes_option,
)
from bec_cli.printing import say

if TYPE_CHECKING:
    from bec_core.admin.scaling.calls import Call, Cloud
    from bec_core.admin.session import Session
    from bec_core.models import Job


@click.group()
def scale() -> None:
    """Let EC2 Auto Scaling start and end a job's workers by the ledger's backlog."""


def group_option(command: Command) -> Command:
    """``--group``."""
    return click.option("--group", metavar="NAME", help="The Auto Scaling group.  [default: bec-JOB]")(
        command
    )


_to: Callable[[Command], Command] = click.option("--to", type=click.IntRange(0), help="So many instances.")


@scale.command("set")
@job_option
@group_option
@click.option(
    "--per-instance",
    type=click.IntRange(1),
    required=True,
    help="The backlog, in volumes, that one instance is to have: what it does in the time that you would wait.",
)
@click.option("--max", "most", type=click.IntRange(1), required=True, help="At most so many instances.")
@click.option(
    "--min", "least", type=click.IntRange(0), default=0, show_default=True, help="At least so many."
)
@dry_run_option
@json_option
@click.pass_context
def set_(
    ctx: click.Context, job_name: str, group: str | None, per_instance: int, most: int, least: int, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Give the group its rules: by the backlog of each instance, from zero, and down when nothing is left.

    They read metrics that the job's feeder publishes each minute (bec queue feed); while those are missing, nothing
    happens. Doing it again changes the rules. --dry-run prints the calls, for a shell.

    \b
    Examples:
      bec scale set --job-name ldv1 --per-instance 200 --max 50 --dry-run
      bec scale set --job-name ldv1 --group workers --per-instance 200 --max 50
    """
    from bec_core.admin.feeding import feeder_of
    from bec_core.admin.scaling.group import set_rules
    from bec_core.admin.scaling.rules import Rules

    session, job, cloud, name = _opened(ctx, job_name, group)
    calls = set_rules(session, cloud, job, name, Rules(per_instance, most, least), dry_run=dry_run)
    if dry_run or as_json:
        _show(calls, dry_run=dry_run, as_json=as_json)
    else:
        say(
            f"✓ {name} follows the backlog of {job.name}: {per_instance} volumes each, {least} to {most} instances"
        )
    if feeder_of(session, job) is None:
        note(f"{job.name} has no feeder, which publishes the backlog: bec queue feed --job-name {job.name}")


@scale.command()
@job_option
@group_option
@_to
@dry_run_option
@click.pass_context
def up(ctx: click.Context, job_name: str, group: str | None, to: int | None, dry_run: bool) -> None:
    """Start instances now, as many as the rules want (or --to); the rules go on from there.

    \b
    Examples:
      bec scale up --job-name ldv1
      bec scale up --job-name ldv1 --to 3 --dry-run
    """
    from bec_core.admin.scaling.group import set_size, stands

    session, job, cloud, name = _opened(ctx, job_name, group)
    found = stands(session, cloud, job, name)
    if to is None and found.wanted is None:
        raise click.UsageError(f"the group {name} has no rules yet: bec scale set, or say how many: --to N")
    wanted = to if to is not None or found.wanted is None else found.wanted.instances
    assert wanted is not None
    if wanted <= found.group.desired:
        why = f" ({found.wanted.why})" if to is None and found.wanted else ""
        say(f"{name} has {count(found.group.desired, 'instance')} already, and {wanted} are wanted{why}")
        return
    call = set_size(session, cloud, job, found.group, wanted, dry_run=dry_run)
    say(call.command if dry_run else f"✓ {name}: {wanted} instances; there were {found.group.desired}")


@scale.command()
@job_option
@group_option
@_to
@yes_option
@dry_run_option
@click.pass_context
def down(
    ctx: click.Context, job_name: str, group: str | None, to: int | None, yes: bool, dry_run: bool
) -> None:
    """End instances now, down to --to (the group's least, without it). Workers hand back what they have at hand.

    While volumes wait, the rules start instances again: pause the job first to keep it down.

    \b
    Examples:
      bec jobs pause ldv1 && bec scale down --job-name ldv1
    """
    from bec_core.admin.scaling.group import set_size, stands

    session, job, cloud, name = _opened(ctx, job_name, group)
    found = stands(session, cloud, job, name)
    wanted = found.group.least if to is None else to
    if wanted >= found.group.desired:
        say(f"{name} has {count(found.group.desired, 'instance')} already")
        return
    call = set_size(session, cloud, job, found.group, wanted, dry_run=True)
    if dry_run:
        say(call.command)
        return
    if not found.nobody:
        note(
            f"{count(found.backlog.waiting, 'volume')} wait and {found.backlog.running:,} run: what runs is handed"
            f" back, and the rules start instances again unless you say: bec jobs pause {job.name}"
        )
        confirm("End the instances?", yes=yes)
    set_size(session, cloud, job, found.group, wanted)
    say(f"✓ {name}: {count(wanted, 'instance')}; there were {found.group.desired}")


@scale.command()
@job_option
@group_option
@json_option
@click.pass_context
def status(ctx: click.Context, job_name: str, group: str | None, as_json: bool) -> None:
    """Show the backlog, the group, and how large its rules want it.

    \b
    Example:
      bec scale status --job-name ldv1
    """
    from bec_core.admin.scaling.group import stands

    session, job, cloud, name = _opened(ctx, job_name, group)
    found = stands(session, cloud, job, name)
    backlog, of = found.backlog, found.group
    if as_json:
        figures = {"total": backlog.total, "per_worker": backlog.per_worker}
        print_json({**attrs.asdict(found), "backlog": {**attrs.asdict(backlog), **figures}})
        return
    say(
        f"Backlog: {backlog.total:,} ({backlog.waiting:,} wait, {backlog.running:,} run); {backlog.blocked:,} blocked"
    )
    say(f"Live workers: {backlog.live_workers:,} ({backlog.per_worker:,.1f} volumes each)")
    say(f"Group {of.name}: {of.in_service} in service, {of.desired} desired, {of.least} to {of.most}")
    if found.wanted is None:
        say("Rules: none (bec scale set)")
    else:
        say(
            f"Rules: {of.per_instance:,} volumes for each instance; want {found.wanted.instances}: {found.wanted.why}"
        )


def _opened(ctx: click.Context, job_name: str, group: str | None) -> tuple[Session, Job, Cloud, str]:
    from bec_core.admin.scaling.calls import Cloud
    from bec_core.admin.scaling.group import default_group

    session, job = session_and_job(ctx, job_name)
    cloud = Cloud(session.settings)
    ctx.call_on_close(cloud.close)
    return session, job, cloud, group or default_group(job)


def _show(calls: list[Call], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": dry_run, "calls": [attrs.asdict(call) for call in calls]})
        return
    for call in calls:
        say(call.command)
