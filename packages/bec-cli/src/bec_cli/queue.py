"""``bec queue``: fill, inspect, redrive and empty a job's queue."""

from __future__ import annotations

import attrs
import click

from bec_cli.common import (
    Column,
    confirm,
    count,
    dry_run_option,
    job_option,
    json_option,
    limit_option,
    local_time,
    note,
    print_json,
    print_table,
    session_and_job,
    yes_option,
)
from bec_cli.queue_enqueue import enqueue
from bec_cli.queue_redrive import redrive


@click.group()
def queue() -> None:
    """Fill, inspect, redrive and empty a job's queue."""


queue.add_command(enqueue)
queue.add_command(redrive)

_dlq_option = click.option("--dlq", is_flag=True, help="The dead-letter queue, in place of the queue.")


@queue.command()
@job_option
@json_option
@click.pass_context
def stats(ctx: click.Context, job_name: str, as_json: bool) -> None:
    """Show how many messages a job's queue holds. SQS's own figures lag by up to a minute.

    \b
    Example:
      bec queue stats --job-name ldv1
    """
    from bec_core.admin.queues import queue_stats

    session, job = session_and_job(ctx, job_name)
    figures, dead = queue_stats(session, job)
    if as_json:
        print_json({**attrs.asdict(figures), "dead_letters": dead.available + dead.in_flight + dead.delayed})
        return
    rows = [
        ("Messages Available", figures.available),
        ("Messages In Flight", figures.in_flight),
        ("Messages Delayed", figures.delayed),
        ("Created", local_time(figures.created_at)),
        ("Last Modified", local_time(figures.modified_at)),
        ("Dead Letters", dead.available + dead.in_flight + dead.delayed),
    ]
    print_table(None, ["Metric", "Value"], rows)


@queue.command()
@job_option
@_dlq_option
@limit_option(10)
@json_option
@click.pass_context
def peek(ctx: click.Context, job_name: str, dlq: bool, limit: int, as_json: bool) -> None:
    """Show messages that wait, without taking them. SQS hides them for a moment and counts a delivery.

    \b
    Examples:
      bec queue peek --job-name ldv1
      bec queue peek --job-name ldv1 --dlq --limit 50
    """
    from bec_core.admin.queues import peek as look

    session, job = session_and_job(ctx, job_name)
    found = look(session, job.dlq_url if dlq else job.queue_url, limit)
    if as_json:
        print_json([attrs.asdict(message) for message in found])
        return
    columns: list[Column] = [
        "Volume",
        "Sent",
        ("Deliveries", "right"),
        *(["Why"] if dlq else []),
    ]
    rows = [
        (m.volume or m.body[:60], local_time(m.enqueued_at), m.receive_count, *((m.reason,) if dlq else ()))
        for m in found
    ]
    print_table(None, columns, rows)


@queue.command()
@job_option
@_dlq_option
@yes_option
@dry_run_option
@click.pass_context
def purge(ctx: click.Context, job_name: str, dlq: bool, yes: bool, dry_run: bool) -> None:
    """Delete every message of a job's queue, for good. Its ledger forgets what waited.

    \b
    Examples:
      bec queue purge --job-name ldv1 --dry-run
      bec queue purge --job-name ldv1 --yes
    """
    from bec_core.admin.queues import purge as empty
    from bec_core.admin.queues import queue_stats

    session, job = session_and_job(ctx, job_name)
    tasks, dead = queue_stats(session, job)
    name = (job.dlq_url if dlq else job.queue_url).rpartition("/")[2]
    chosen = dead if dlq else tasks
    held = count(chosen.available + chosen.in_flight + chosen.delayed, "message")
    if dry_run:
        click.echo(f"Would delete {held} of {name}")
        return
    note(f"This deletes {held} of {name}, for good.")
    confirm("Delete them?", yes=yes)
    forgotten = empty(session, job, dead_letters=dlq)
    click.echo(f"✓ Purged queue: {name}")
    if forgotten:
        note(f"{count(forgotten, 'volume')} that waited can be enqueued again")
