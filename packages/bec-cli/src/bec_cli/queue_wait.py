"""``bec queue wait``: sleep until a job has something to do; costs next to nothing, for no model is loaded."""

from __future__ import annotations

import time

import click

from bec_cli.common import job_option, session_and_job

_LOOK_S = 15.0


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
    """Wait while all that is left of a job is in back-off, running elsewhere, or blocked by inputs on their way.

    Returns at once if anything is due, or nothing is known to be left (messages that nobody enqueued here may
    be in the queue). For units that start a worker again: no model is loaded before there is something to do.

    \b
    Examples:
      bec queue wait --job-name ldv1 && bec worker --job-name ldv1
    """
    from bec_core.admin.statistics import what_is_left

    session, job = session_and_job(ctx, job_name)
    ends = time.monotonic() + at_most
    while time.monotonic() < ends:
        left = what_is_left(session, job)
        if left.due or left.ready or not (left.total or left.coming):
            break
        pause = min(_LOOK_S, left.next_s if left.next_s is not None else _LOOK_S, ends - time.monotonic())
        time.sleep(max(0.1, pause))
