"""``bec queue``: fill, inspect, redrive and empty a job's queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import (
    confirm,
    count,
    dry_run_option,
    job_option,
    json_option,
    limit_option,
    local_time,
    note,
    print_json,
    session_and_job,
    yes_option,
)
from bec_cli.printing import say
from bec_cli.queue_enqueue import enqueue
from bec_cli.queue_feed import feed
from bec_cli.queue_redrive import redrive
from bec_cli.queue_wait import wait
from bec_cli.tables import Column, print_table

if TYPE_CHECKING:
    from bec_core.admin.session import Session
    from bec_core.models import Job


@click.group()
def queue() -> None:
    """Fill, inspect, redrive and empty a job's queue."""


queue.add_command(enqueue)
queue.add_command(feed)
queue.add_command(redrive)
queue.add_command(wait)

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
@click.option(
    "--receive",
    is_flag=True,
    help="On SQS: look into the queue itself, which delivers each message once.",
)
@limit_option(10)
@json_option
@click.pass_context
def peek(ctx: click.Context, job_name: str, dlq: bool, receive: bool, limit: int, as_json: bool) -> None:
    """Show what waits, without taking it: the queue's messages, or on SQS the ledger's entries.

    SQS shows a message only by delivering it. With --receive that is done: the messages are hidden for a
    moment, and each look counts as a delivery towards the queue's own limit (maxReceiveCount); one that is
    near the limit is replaced by a fresh copy.

    \b
    Examples:
      bec queue peek --job-name ldv1
      bec queue peek --job-name ldv1 --dlq --limit 50
      bec queue peek --job-name ldv1 --receive
    """
    from bec_core.admin.queues import peek as look

    session, job = session_and_job(ctx, job_name)
    found = look(session, job.dlq_url if dlq else job.queue_url, limit, receive=receive)
    if found is None:
        _peek_into_ledger(session, job, dlq=dlq, limit=limit, as_json=as_json)
        return
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


def _peek_into_ledger(session: Session, job: Job, *, dlq: bool, limit: int, as_json: bool) -> None:
    from bec_core.admin.queues import asked

    entries = asked(session, job, "failed" if dlq else "waiting", limit)
    if as_json:
        print_json([attrs.asdict(entry) for entry in entries])
        return
    note("SQS is not looked into (that would deliver the messages; --receive does): this is the ledger")
    if dlq:
        failed = [(e.volume, local_time(e.changed_at), e.reason) for e in entries]
        print_table(None, ["Volume", "Failed", "Why"], failed)
    else:
        waiting = [
            (e.volume, local_time(e.requested_at), local_time(e.sent_at) or "not yet") for e in entries
        ]
        print_table(None, ["Volume", "Asked", "Sent"], waiting)


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
        say(f"Would delete {held} of {name}")
        return
    note(f"This deletes {held} of {name}, for good.")
    confirm("Delete them?", yes=yes)
    forgotten = empty(session, job, dead_letters=dlq)
    say(f"✓ Purged queue: {name}")
    if forgotten:
        note(f"{count(forgotten, 'volume')} that waited can be enqueued again")
