"""``bec jobs create`` and ``bec jobs update``: a job, its config, its inputs, its feeder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bec_cli.common import (
    count,
    dry_run_option,
    job_argument,
    json_option,
    note,
    print_json,
    read_config,
    session_and_job,
    session_of,
)
from bec_cli.completion import complete_job_type
from bec_cli.job_show import job_as_dict
from bec_cli.printing import say
from bec_core.models import Job

if TYPE_CHECKING:
    from bec_core.admin.binding import Binding
    from bec_core.admin.session import Session

_SERVICES = {"sqs": "SQS", "postgres": "PostgreSQL"}

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


@click.command()
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
    from bec_core.admin.job_making import create_job, precheck

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
        print_json(job_as_dict(made.job))
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


@click.command()
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
    from bec_core.admin.job_making import update_config

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
                print_json(job_as_dict(job))
            else:
                done = "Would update" if dry_run else "✓ Updated"
                say(f"{done} job: id={job.id}, name={job.name}, config revision {job.config_revision}")
            return
    if values is None and feed is not None:
        if as_json:
            print_json(job_as_dict(job))
        return
    if values is None:
        raise click.UsageError(
            "give the new config (--config FILE or --config-text JSON), --input NAME=JOB, --feed or --no-feed"
        )
    updated = update_config(session, job, values, dry_run=dry_run, share_prefix=share_prefix)
    for warning in updated.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json(job_as_dict(updated.job))
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
