"""``bec queue feed``: the process that keeps a job's queue topped up from its ledger."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from bec_cli.common import job_option, note, session_and_job
from bec_cli.exits import Exit
from bec_cli.printing import say


@click.command()
@job_option
@click.option(
    "--per-worker",
    type=click.IntRange(1, 1000),
    help="Messages in the queue for each live worker (and for the first to come).  [default: as before, else 4]",
)
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=10,
    show_default=True,
    help="Seconds between looks.",
)
@click.option(
    "--metrics/--no-metrics", default=None, help="Publish the backlog to CloudWatch.  [default: with SQS]"
)
@click.option(
    "--max-spend",
    type=click.FloatRange(0, min_open=True),
    help="Pause the job when its workers' hours have cost so much; goes with --hourly-price.",
)
@click.option(
    "--hourly-price", type=click.FloatRange(0, min_open=True), help="What one worker costs an hour."
)
@click.option("--once", is_flag=True, help="Look once and end.")
@click.pass_context
def feed(
    ctx: click.Context,
    job_name: str,
    per_worker: int | None,
    every: float,
    metrics: bool | None,
    max_spend: float | None,
    hourly_price: float | None,
    once: bool,
) -> int:
    """Keep a job's queue topped up from its ledger: a few messages for each live worker, by priority.

    From its first start on the job has a feeder: enqueueing enters its volumes into the ledger, and this process sends
    their messages as workers come to them. Nothing expires in the queue, and a paused job's volumes rest. A second
    feeder of the job stands by. --max-spend counts as bec jobs stats does (Cost so Far); to go on with more, start the
    feeder with a higher limit, then: bec jobs resume JOB. To do without: bec jobs update JOB --no-feed.
    Exit status: 0 the job has no feeder any more, 3 it was deleted, 130 or 143 stopped.

    \b
    Examples:
      bec queue feed --job-name ldv1
      bec queue feed --job-name ldv1 --per-worker 8
      bec queue feed --job-name ldv1 --max-spend 500 --hourly-price 0.53
    """
    from bec_core.admin.feeding import Budget, Feeder, FeederEnd, FeederOptions, feeder_of, give_feeder

    if (max_spend is None) != (hourly_price is None):
        raise click.UsageError("--max-spend and --hourly-price go together: a job's cost is hours by a price")
    budget = None if max_spend is None or hourly_price is None else Budget(max_spend, hourly_price)
    session, job = session_and_job(ctx, job_name)
    give_feeder(session, job, per_worker)
    row = feeder_of(session, job)
    assert row is not None
    published = session.settings.queue_kind == "sqs" if metrics is None else metrics
    options = FeederOptions(every_s=every, metrics=published, budget=budget)
    feeder = Feeder(session, job, options, say=note)
    if once:
        end = feeder.once()
        return Exit.OK if end is None else _ended(end, job.name)
    say(f"Feeding job {job.name}: {row.per_worker} messages for each live worker")
    say(f"Queue: {job.queue_url}")
    stop = threading.Event()
    with _stopping(stop) as received:
        end = feeder.run(stop)
    if end is FeederEnd.STOPPED:
        return Exit(128 + received[0]) if received else Exit.OK
    return _ended(end, job.name)


def _ended(end: object, job_name: str) -> Exit:
    from bec_core.admin.feeding import FeederEnd

    note(f"the feeder of {job_name} ended: {end}")
    return Exit.NOT_FOUND if end is FeederEnd.DELETED else Exit.OK


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[list[int]]:
    """SIGTERM and SIGINT set ``stop``; yields the signals received so far."""
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        received.append(number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
