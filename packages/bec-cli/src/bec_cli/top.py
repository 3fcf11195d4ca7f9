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

from bec_cli.common import ago, json_option, local_time, out, print_json, session_of, table
from bec_cli.workers import doing

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType

    from bec_core.admin.overview import JobLine, Overview


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 3600),
    default=2.0,
    show_default=True,
    help="Seconds between looks.",
)
@click.option("--once", is_flag=True, help="Print one look and end.")
@json_option
@click.pass_context
def top(ctx: click.Context, interval: float, once: bool, as_json: bool) -> None:
    """Watch jobs, queues, workers and the last errors; q or Ctrl-C ends it. Costs the database next to nothing.

    \b
    Examples:
      bec top
      bec top --once
    """
    from bec_core.admin.overview import Monitor

    monitor = Monitor(session_of(ctx))
    if as_json:
        print_json(_as_dict(monitor.look()))
        return
    console = out()
    if once or not console.is_terminal:
        console.print(_screen(console, monitor.look()))
        return
    from rich.live import Live

    with (
        suppress(KeyboardInterrupt),  # Ctrl-C is how one ends it
        _keys() as pressed_q,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            live.update(_fitting(_screen(console, monitor.look()), console.height), refresh=True)
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


def _fitting(screen: Group, height: int) -> RenderableType:
    """The screen cut to the terminal's height: the upper parts matter most."""
    from rich.layout import Layout

    return Layout(screen, size=height)


def _screen(console: Console, look: Overview) -> Group:
    from rich.console import Group
    from rich.text import Text

    jobs = table(
        console,
        "Jobs",
        ["Job", "Status", ("Waiting", "right"), ("Running", "right"), ("Done", "right"), ("Failed", "right"),
         ("Blocked", "right"),
         ("Pages/s", "right"), ("Left", "right"), ("Queue", "right"), ("In Flight", "right"), ("Dead", "right")],
        [_job_row(line) for line in look.jobs],
    )  # fmt: skip
    workers = table(
        console,
        "Workers",
        [("ID", "right"), "Worker", "Job", "State", ("Heartbeat", "right"), "Doing", ("Pages", "right"),
         ("Pages/s", "right")],
        [
            (view.row.id, view.row.name, view.row.job_name, view.state, ago(view.row.heartbeat_s), *doing(view))
            for view in look.workers
        ],
    )  # fmt: skip
    errors = table(
        console,
        "Last Errors",
        ["When", "Job", "Volume", "Status", "Error", "Message", ("Task", "right")],
        [
            (local_time(e.at), e.job_name, e.volume, e.status, e.error_type, _first_line(e.message), e.task_id)
            for e in look.errors
        ],
    )  # fmt: skip
    return Group(Text(f"bec top  {local_time(look.at)}  (q ends)"), jobs, workers, errors)


def _first_line(message: str | None) -> str:
    return (message or "").split("\n", 1)[0][:60]


def _job_row(line: JobLine) -> tuple[object, ...]:
    queue, dead = line.queue, line.dead_letters
    return (
        line.job.name,
        line.job.status.value,
        line.waiting,
        line.running,
        line.done,
        line.failed,
        line.blocked,
        None if line.pages_per_s is None else f"{line.pages_per_s:.2f}",
        ago(line.time_left_s),
        None if queue is None else queue.available + queue.delayed,
        None if queue is None else queue.in_flight,
        None if dead is None else dead.available + dead.in_flight + dead.delayed,
    )


def _as_dict(look: Overview) -> dict[str, object]:
    return {
        "at": look.at,
        "jobs": [
            {**attrs.asdict(line), "job": line.job.name, "status": line.job.status} for line in look.jobs
        ],
        "workers": [
            {**attrs.asdict(view.row), "state": view.state, "pages_per_s": view.pages_per_s}
            for view in look.workers
        ],
        "errors": [attrs.asdict(error) for error in look.errors],
    }
