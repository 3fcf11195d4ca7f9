"""``bec queue wait``: sleep until a job has something to do; costs next to nothing, for no model is loaded."""

from __future__ import annotations

import time

import click

from bec_cli.common import job_option, session_and_job


@click.command()
@job_option
@click.option(
    "--at-most",
    type=click.FloatRange(0),
    default=3600,
    show_default=True,
    help="Return after so long in any case, in seconds.",
)
@click.pass_context
def wait(ctx: click.Context, job_name: str, at_most: float) -> None:
    """Wait while a job is paused, or all that is left is in back-off, running elsewhere or blocked for now.

    Returns at once if anything is due, or nothing is known to be left (messages that nobody enqueued here may
    be in the queue). For units that start a worker again: no model is loaded before there is something to do.

    \b
    Examples:
      bec queue wait --job-name ldv1 && bec worker --job-name ldv1
    """
    from bec_core.admin.jobs import find_job
    from bec_core.admin.waiting import outlook

    session, job = session_and_job(ctx, job_name)
    ends = time.monotonic() + at_most
    while time.monotonic() < ends:
        found = outlook(session, job)
        if found.pause_s is None or found.nothing_left:
            break
        time.sleep(max(0.1, min(found.pause_s, ends - time.monotonic())))
        job = find_job(session, job.name)
