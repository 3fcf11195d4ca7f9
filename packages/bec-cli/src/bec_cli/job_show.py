"""``bec jobs list`` and ``bec jobs show``: which jobs there are, and what is known of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import (
    ago,
    count,
    job_argument,
    json_option,
    local_time,
    print_json,
    session_and_job,
    session_of,
)
from bec_cli.job_log import action_line
from bec_cli.printing import say
from bec_cli.tables import Column, print_table
from bec_core.models import Job, JobStatus

if TYPE_CHECKING:
    from bec_core.admin.canary import Canary
    from bec_core.admin.feeding import FeederRow

_ACTIONS = 3  # what was done to a job last is shown with it; all of it: bec jobs log
_CONFIG_WIDTH = 40


@click.command("list")
@click.option("--wide", is_flag=True, help="Show type, status, revision and age too.")
@json_option
@click.pass_context
def list_(ctx: click.Context, wide: bool, as_json: bool) -> None:
    """List all jobs. Their status is shown if any is not active.

    \b
    Examples:
      bec jobs list
      bec jobs list --json | jq -r '.[].name'
    """
    from bec_core.admin.jobs import list_jobs

    found = list_jobs(session_of(ctx))
    if as_json:
        print_json([job_as_dict(job) for job in found])
        return
    columns: list[Column] = ["ID", "Name", "Queue", "Config"]
    rows: list[list[object]] = [
        [job.id, job.name, job.queue_url.rpartition("/")[2], _short(json.dumps(dict(job.config)))]
        for job in found
    ]
    with_status = wide or any(job.status is not JobStatus.ACTIVE for job in found)
    if with_status:
        columns.append("Status")
    if wide:
        columns += ["Type", ("Revision", "right"), "Created", "Updated"]
    for row, job in zip(rows, found, strict=True):
        if with_status:
            row.append(job.status.value)
        if wide:
            row += [job.type, job.config_revision, local_time(job.created_at), local_time(job.updated_at)]
    print_table(None, columns, rows)


@click.command()
@job_argument
@click.option("--revisions", is_flag=True, help="Show every config that the job had.")
@json_option
@click.pass_context
def show(ctx: click.Context, job_name: str, revisions: bool, as_json: bool) -> None:
    """Show a job: its queues and its config.

    \b
    Examples:
      bec jobs show ldv1
      bec jobs show 1 --revisions
    """
    from bec_core.admin.actions import latest_actions
    from bec_core.admin.binding import bound_inputs, readers_of
    from bec_core.admin.canary import canary_of
    from bec_core.admin.feeding import feeder_of
    from bec_core.admin.jobs import config_revisions, newest_arithmetic

    session, job = session_and_job(ctx, job_name)
    arithmetic = newest_arithmetic(session, job)
    actions = latest_actions(session, job, limit=_ACTIONS)
    feeder, canary = feeder_of(session, job), canary_of(session, job)
    bound, readers = bound_inputs(session, job), readers_of(session, job)
    history = config_revisions(session, job) if revisions else []
    if as_json:
        listed = [{"revision": n, "config": config, "created_at": at} for n, config, at in history]
        shown = {
            "inputs": [attrs.asdict(one) for one in bound],
            "read_by": readers,
            "feeder": attrs.asdict(feeder) if feeder else None,
            "canary": attrs.asdict(canary) if canary else None,
            "arithmetic": arithmetic,
            "actions": [attrs.asdict(one) for one in actions],
        }
        print_json({**job_as_dict(job), **shown, **({"revisions": listed} if revisions else {})})
        return
    say(f"Job {job.id}")
    say(f"Name: {job.name}")
    if job.type != job.name:
        say(f"Type: {job.type}")
    say(f"Queue URL: {job.queue_url}")
    say(f"DLQ URL: {job.dlq_url}")
    say(f"Status: {job.status.value}")
    if feeder:
        say(f"Feeder: {_in_words(feeder)}")
    if job.brake_reason:
        say(f"Brake: the job was paused: {job.brake_reason}; to go on: bec jobs resume {job.name}")
    if canary:
        say(f"Canary: {_canary(canary, job)}")
    if arithmetic:
        say(f"Arithmetic: {arithmetic}, as its newest worker chose")
    for one in bound:
        follows = ", followed" if one.follow else ""
        say(f"Input {one.name}: {one.job_name or 'bound to no job'}{follows}")
    if readers:
        say(f"Read by: {', '.join(readers)}")
    for action in actions:
        say(f"Done to it: {action_line(action)}")
    say(f"Config revision: {job.config_revision} (since {local_time(job.updated_at)})")
    say("Configuration:")
    say(json.dumps(dict(job.config), indent=2, ensure_ascii=False))
    for number, config, at in history:
        say(f"Revision {number}, {local_time(at)}: {json.dumps(config, ensure_ascii=False)}")


def _in_words(feeder: FeederRow) -> str:
    """How many messages a feeder keeps in the queue, and when it was heard of."""
    heard = "never started"
    if feeder.heartbeat_s is not None:
        heard = f"{feeder.by}, heard of {ago(feeder.heartbeat_s)} ago"
    away = "" if feeder.alive else "; idle workers send in its place"
    return f"{feeder.per_worker} messages for each live worker ({heard}{away})"


def _canary(canary: Canary, job: Job) -> str:
    """How a job's canary stands."""
    held = f"{count(canary.held, 'volume')} held back"
    when = local_time(canary.judged_at)
    match canary.verdict:
        case None:
            failed = f", {canary.failed} of them failed" if canary.failed else ""
            return f"out: {canary.ended} of {count(canary.volumes, 'volume')} ended{failed}; {held} until it has passed"
        case "passed":
            return f"passed {when} ({count(canary.volumes, 'volume')})"
        case "failed":
            return f"failed {when}: {canary.reason}; {held} till the job goes on: bec jobs resume {job.name}"
        case _:
            why = f", although {canary.reason}" if canary.reason else ""
            return f"the rest was let go {when}{why}"


def job_as_dict(job: Job) -> dict[str, object]:
    """A job for a program."""
    return attrs.asdict(job, filter=lambda _, __: True)


def _short(text: str) -> str:
    return text if len(text) <= _CONFIG_WIDTH else text[: _CONFIG_WIDTH - 3] + "..."
