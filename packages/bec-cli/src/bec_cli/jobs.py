"""``bec jobs``: create, change, mark and delete jobs; see how they stand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import (
    ago,
    confirm,
    count,
    dry_run_option,
    job_argument,
    json_option,
    local_time,
    note,
    print_json,
    read_config,
    session_and_job,
    session_of,
    yes_option,
)
from bec_cli.completion import complete_job_type
from bec_cli.job_adopt import adopt
from bec_cli.job_log import action_line, log
from bec_cli.job_stale import stale
from bec_cli.job_stats import stats, tasks
from bec_cli.printing import say
from bec_cli.tables import Column, print_table
from bec_core.models import Job, JobStatus

if TYPE_CHECKING:
    from bec_core.admin.binding import Binding
    from bec_core.admin.canary import Canary
    from bec_core.admin.feeding import FeederRow
    from bec_core.admin.session import Session

_ACTIONS = 3  # what was done to a job last is shown with it; all of it: bec jobs log
_CONFIG_WIDTH = 40
_SERVICES = {"sqs": "SQS", "postgres": "PostgreSQL"}


@click.group()
def jobs() -> None:
    """Create, change and mark jobs; see how they stand. JOB is a name or an id."""


jobs.add_command(stats)
jobs.add_command(tasks)
jobs.add_command(stale)
jobs.add_command(log)
jobs.add_command(adopt)

_config_file = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the job's config (a JSON object).",
)
_config_text = click.option("--config-text", help="The job's config as JSON text.")
_share_prefix = click.option(
    "--share-prefix",
    is_flag=True,
    help="Let its artifacts lie where another job's lie; what that job has done counts as done, by it.",
)


_input = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=JOB",
    help="The job that an input reads; may be given once for each input.",
)


@jobs.command()
@click.option("--name", required=True, help="The job's name: letters, digits, '_' and '-'.")
@click.option(
    "--type",
    "job_type",
    shell_complete=complete_job_type,
    help="The plugin's job type.  [default: by the name]",
)
@_config_file
@_config_text
@_input
@click.option("--follow", is_flag=True, help="Ask it by itself for what gets done by the jobs that it reads.")
@click.option(
    "--feed", is_flag=True, help="It has a feeder (bec queue feed), which sends its messages bit by bit."
)
@click.option("--queue-url", help="An existing queue to use, in place of bec_NAME_tasks.")
@click.option("--dlq-url", help="Its dead-letter queue; goes with --queue-url.")
@_share_prefix
@json_option
@dry_run_option
@click.pass_context
def create(
    ctx: click.Context,
    name: str,
    job_type: str | None,
    config: Path | None,
    config_text: str | None,
    inputs: tuple[str, ...],
    follow: bool,
    feed: bool,
    queue_url: str | None,
    dlq_url: str | None,
    share_prefix: bool,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Create a job, and its queues bec_NAME_tasks and bec_NAME_dlq (existing ones are used).

    Without --type it gets the job type of its name, else the one of the family that its name begins with. Without
    --input an input reads the only job of its type, or the one that is named as the type.

    \b
    Examples:
      bec jobs create --name ldv1
      bec jobs create --name ocr-new --type ocrv1 --input lines=ldv1-new --follow
      bec jobs create --name ldv1 --config ldv1-config.json
      bec jobs create --name careful --type ldv1 --config-text '{"batch_size": 4}'
    """
    from bec_core.admin.binding import parse_inputs
    from bec_core.admin.jobs import create_job, precheck

    session = session_of(ctx)
    given = parse_inputs(inputs)
    values = read_config(config, config_text) or {}
    kind = _SERVICES[session.settings.queue_kind]
    # Refused before anything is said to be created; what it warns of, creating tells again.
    plan = precheck(session, name, job_type, values, share_prefix=share_prefix, inputs=given)
    if plan.why_type:
        note(f"{name} is of {plan.why_type}")
    if dry_run:
        for warning in plan.warnings:
            note(f"warning: {warning}")
        queues = (
            "with the queues given"
            if queue_url
            else f"with {kind} queues bec_{name}_tasks and bec_{name}_dlq"
        )
        say(f"Would create job: name={name}, type={plan.job_type}, {queues}")
        _say_inputs(plan.inputs)
        return
    if not queue_url:
        note(f"Creating {kind} queues for job '{name}'...")
    made = create_job(
        session,
        name=name,
        job_type=job_type,
        config=values,
        queue_url=queue_url,
        dlq_url=dlq_url,
        share_prefix=share_prefix,
        inputs=given,
        follow=follow,
    )
    if feed:
        from bec_core.admin.feeding import give_feeder

        give_feeder(session, made.job)
    for warning in made.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json(_as_dict(made.job))
        return
    for what, url in (("queue", made.job.queue_url), ("DLQ", made.job.dlq_url)):
        is_new = url.rpartition("/")[2] in made.created_queues
        say(f"✓ {'Created' if is_new else 'Using existing'} {what}: {url}")
    say(f"✓ Created job: id={made.job.id}, name={made.job.name}")
    _say_inputs(made.inputs)
    if feed:
        note(f"its messages are sent by its feeder: bec queue feed --job-name {made.job.name}")


def _say_inputs(found: Sequence[Binding]) -> None:
    for one in found:
        if one.job is not None:
            say(f"  Input {one.input.name}: {one.job.name} ({one.how})")


@jobs.command("list")
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
        print_json([_as_dict(job) for job in found])
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


@jobs.command()
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
        print_json({**_as_dict(job), **shown, **({"revisions": listed} if revisions else {})})
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


@jobs.command()
@job_argument
@_config_file
@_config_text
@_input
@click.option(
    "--follow/--no-follow", default=None, help="Whether to ask it for what gets done by what it reads."
)
@click.option(
    "--feed/--no-feed",
    default=None,
    help="Whether it has a feeder (bec queue feed), which sends its messages.",
)
@_share_prefix
@dry_run_option
@json_option
@click.pass_context
def update(
    ctx: click.Context,
    job_name: str,
    config: Path | None,
    config_text: str | None,
    inputs: tuple[str, ...],
    follow: bool | None,
    feed: bool | None,
    share_prefix: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Replace a job's config, or bind its inputs anew, as its next revision.

    Running workers keep their config until they are restarted; inputs are looked up for every volume. What was done
    by other inputs is out of date then (bec jobs stale JOB); nothing is done again by itself. A job without a feeder
    gets its messages when it is asked; --no-feed sends what the feeder would have.

    \b
    Examples:
      bec jobs update ldv1 --config ldv1-config.json
      bec jobs update ldv1 --config-text '{"batch_size": 8}' --dry-run
      bec jobs update ocr --input lines=ldv1-new
    """
    from bec_core.admin.binding import parse_inputs, rebind
    from bec_core.admin.jobs import update_config

    session, job = session_and_job(ctx, job_name)
    values = read_config(config, config_text)
    if feed is not None:
        _set_feeder(session, job, feed=feed, dry_run=dry_run)
    if inputs or follow is not None:
        job, rebound = rebind(session, job, parse_inputs(inputs), follow=follow, dry_run=dry_run)
        for one in rebound:
            reads = one.job.name if one.job else "no job"
            note(f"{'would read' if dry_run else 'reads'} {reads} as {one.input.name}")
        if values is None:
            if as_json:
                print_json(_as_dict(job))
            else:
                done = "Would update" if dry_run else "✓ Updated"
                say(f"{done} job: id={job.id}, name={job.name}, config revision {job.config_revision}")
            return
    if values is None and feed is not None:
        if as_json:
            print_json(_as_dict(job))
        return
    if values is None:
        raise click.UsageError(
            "give the new config (--config FILE or --config-text JSON), --input NAME=JOB, --feed or --no-feed"
        )
    updated = update_config(session, job, values, dry_run=dry_run, share_prefix=share_prefix)
    for warning in updated.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json(_as_dict(updated.job))
    elif not updated.changed:
        say(f"Job {job.name} has this config already (revision {job.config_revision})")
    elif dry_run:
        say(f"Would update job: id={job.id}, name={job.name}, config revision {job.config_revision + 1}")
    else:
        new = updated.job
        say(f"✓ Updated job: id={new.id}, name={new.name}, config revision {new.config_revision}")


def _set_feeder(session: Session, job: Job, *, feed: bool, dry_run: bool) -> None:
    from bec_core.admin.feeding import feeder_of, give_feeder, take_feeder_away

    if (feeder_of(session, job) is not None) is feed:
        note(f"job {job.name} has {'a' if feed else 'no'} feeder already")
    elif dry_run:
        note(f"would say that job {job.name} has {'a' if feed else 'no'} feeder")
    elif feed:
        give_feeder(session, job)
        note(f"its messages are sent by its feeder from now on: bec queue feed --job-name {job.name}")
    else:
        sent = take_feeder_away(session, job) or 0
        note(f"job {job.name} has no feeder any more; {count(sent, 'message')} that it held back sent now")


@jobs.command()
@job_argument
@click.option("--purge-queues", is_flag=True, help="Empty its queues too.")
@click.option(
    "--unbind-readers", is_flag=True, help="Delete it although other jobs read it, which are blocked then."
)
@yes_option
@dry_run_option
@click.pass_context
def delete(
    ctx: click.Context, job_name: str, purge_queues: bool, unbind_readers: bool, yes: bool, dry_run: bool
) -> None:
    """Delete a job with its tasks and its ledger. Artifacts stay, and so do the queues.

    \b
    Examples:
      bec jobs delete ldv1 --dry-run
      bec jobs delete ldv1 --yes
    """
    from bec_core.admin.binding import readers_of
    from bec_core.admin.jobs import delete_job, deletion_of, refuse_read

    session, job = session_and_job(ctx, job_name)
    what = deletion_of(session, job)
    parts = [count(what.tasks, "task"), count(what.ledger_entries, "ledger entry", "ledger entries")]
    queues = [
        f"{name} ({'gone' if held is None else count(held, 'message')})"
        for name, held in ((job.queue_url.rpartition("/")[2], what.messages),
                           (job.dlq_url.rpartition("/")[2], what.dead_letters))
    ]  # fmt: skip
    if what.marks:
        parts.append(f"{count(what.marks, 'mark')} that people made (bec marks export {job.name} keeps them)")
    takes = f"job {job.name} (id={job.id}) with {' and '.join(parts)}"
    fate = f"its queues {' and '.join(queues)} are {'emptied' if purge_queues else 'kept'}; all artifacts are kept"
    readers = readers_of(session, job)
    if dry_run:
        say(f"Would delete {takes}; {fate}")
        if readers:
            note(f"warning: it is read by {', '.join(readers)}: needs --unbind-readers")
        return
    if not unbind_readers:
        refuse_read(session, job)
    note(f"This deletes {takes}; {fate}.")
    if what.live_workers:
        note(f"warning: {count(what.live_workers, 'worker')} of it live; they will set messages aside")
    confirm("Delete it?", yes=yes)
    delete_job(session, job, purge_queues=purge_queues, unbind_readers=unbind_readers)
    say(f"✓ Deleted job: id={job.id}, name={job.name}")


def _status_command(name: str, status: JobStatus, explanation: str) -> click.Command:
    """``bec jobs pause`` and its sisters."""

    @click.command(name, help=f"{explanation}\n\n\b\nExample:\n  bec jobs {name} ldv1")
    @job_argument
    @dry_run_option
    @click.pass_context
    def mark(ctx: click.Context, job_name: str, dry_run: bool) -> None:
        session, job = session_and_job(ctx, job_name)
        _mark(session, job, status, dry_run=dry_run)

    return mark


def _mark(session: Session, job: Job, status: JobStatus, *, dry_run: bool) -> None:
    from bec_core.admin.jobs import set_status

    if job.status is status:
        say(f"Job {job.name} is {status.value} already")
    elif dry_run:
        say(f"Would mark job {job.name} (id={job.id}) {status.value}; it is {job.status.value} now")
    else:
        set_status(session, job, status)
        say(f"✓ Job {job.name} (id={job.id}) is {status.value}; it was {job.status.value}")


for _name, _status, _explanation in (
    ("pause", JobStatus.PAUSED, "Pause a job: its workers finish what they have, and take nothing new."),
    ("complete", JobStatus.COMPLETED, "Mark a job as completed: its workers take nothing new."),
    ("cancel", JobStatus.CANCELLED, "Cancel a job: its messages are set aside in the dead-letter queue, not run."),
):  # fmt: skip
    jobs.add_command(_status_command(_name, _status, _explanation))


@jobs.command()
@job_argument
@click.option(
    "--without-canary",
    is_flag=True,
    help="Let the volumes that its canary holds back go, also while that is out.",
)
@dry_run_option
@click.pass_context
def resume(ctx: click.Context, job_name: str, without_canary: bool, dry_run: bool) -> None:
    """Let the workers of a paused, completed or cancelled job go on.

    After a canary that failed, the volumes that it held back are released.

    \b
    Examples:
      bec jobs resume ldv1
      bec jobs resume ldv1 --without-canary
    """
    from bec_core.admin.canary import canary_of, release_all_the_same

    session, job = session_and_job(ctx, job_name)
    found = canary_of(session, job)
    holding = found if found and found.holds else None
    if without_canary and holding is None:
        note(f"no canary of job {job.name} holds volumes back")
    if not (without_canary and job.status is JobStatus.ACTIVE):
        _mark(session, job, JobStatus.ACTIVE, dry_run=dry_run)
    if holding is None or not (without_canary or (holding.verdict and job.status is not JobStatus.ACTIVE)):
        return
    if without_canary and not dry_run:
        release_all_the_same(session, session_and_job(ctx, job_name)[1])
    say(
        f"{'Would release' if dry_run else '✓ Released'} {count(holding.held, 'volume')} that its canary held back"
    )


def _as_dict(job: Job) -> dict[str, object]:
    return attrs.asdict(job, filter=lambda _, __: True)


def _short(text: str) -> str:
    return text if len(text) <= _CONFIG_WIDTH else text[: _CONFIG_WIDTH - 3] + "..."
