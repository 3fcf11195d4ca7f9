"""``bec top``: a live screen."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import json_option, out, print_json, session_of
from bec_cli.completion import complete_job
from bec_cli.top_screen import screen

if TYPE_CHECKING:
    from bec_core.admin.overview import Overview


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 3600),
    default=2.0,
    show_default=True,
    help="Seconds between looks.",
)
@click.option("--job-name", metavar="JOB", shell_complete=complete_job, help="Only this job (name or id).")
@click.option(
    "--state",
    "states",
    type=click.Choice(["dead", "idle", "working"]),
    multiple=True,
    help="Only workers in this state; may be given often.",
)
@click.option(
    "--sort",
    "order",
    type=click.Choice(["state", "job", "name", "heartbeat", "speed"]),
    default="state",
    show_default=True,
    help="The order of the workers; state: the dead first.",
)
@click.option("--once", is_flag=True, help="Print one look and end: all of it, however low the screen is.")
@json_option
@click.pass_context
def top(
    ctx: click.Context,
    interval: float,
    job_name: str | None,
    states: tuple[str, ...],
    order: str,
    once: bool,
    as_json: bool,
) -> None:
    """Watch troubles, jobs, queues, workers and the last errors; q or Ctrl-C ends it. Costs the database little.

    Troubles are those of bec health. A worker that died stays until somebody looks after it: bec workers dismiss.

    \b
    Examples:
      bec top
      bec top --job-name ldv1 --state dead --state idle
      bec top --once
    """
    from bec_core.admin.jobs import find_job
    from bec_core.admin.overview import Choice, Monitor

    session = session_of(ctx)
    job = find_job(session, job_name) if job_name else None
    monitor = Monitor(session, Choice(job, frozenset(states), order))
    if as_json:
        print_json(_as_dict(monitor.look()))
        return
    console = out()
    if once or not console.is_terminal:
        console.print(screen(console, monitor.look()))
        return
    from rich.live import Live

    with (
        suppress(KeyboardInterrupt),  # Ctrl-C is how one ends it
        _keys() as pressed_q,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            live.update(screen(console, monitor.look(), height=console.height), refresh=True)
            if pressed_q(interval):
                return


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Gives a function that waits so many seconds and says whether ``q`` was pressed."""
    if not sys.stdin.isatty():
        yield _only_wait
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield _wait_for_q
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _only_wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _wait_for_q(seconds: float) -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and sys.stdin.read(1) in ("q", "Q")


def _as_dict(look: Overview) -> dict[str, object]:
    return {
        "at": look.at,
        "troubles": [{**attrs.asdict(one), "kind": one.kind.value} for one in look.troubles],
        "jobs": [
            {
                **attrs.asdict(line.progress),
                "job": line.job.name,
                "status": line.job.status,
                "queue": line.queue and attrs.asdict(line.queue),
                "dead_letters": line.dead_letters and attrs.asdict(line.dead_letters),
            }
            for line in look.jobs
        ],
        "workers": [
            {**attrs.asdict(view.row), "state": view.state, "pages_per_s": view.pages_per_s}
            for view in look.workers
        ],
        "errors": [attrs.asdict(error) for error in look.errors],
    }
