"""``bec jobs log``: what operators did to jobs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import json_option, limit_option, local_time, print_json, session_of
from bec_cli.completion import complete_job
from bec_cli.tables import Column, print_table

if TYPE_CHECKING:
    from bec_core.admin.actions import Action


@click.command()
@click.argument("job_name", metavar="[JOB]", required=False, shell_complete=complete_job)
@limit_option(50)
@json_option
@click.pass_context
def log(ctx: click.Context, job_name: str | None, limit: int, as_json: bool) -> None:
    """Show what was done to jobs that destroys, stops or repeats something: who did it, and when, the latest first.

    Kept are purge, delete, force, redrive, pause, resume, complete, cancel, update, feed, scale, gc and adopt; also
    those of jobs that were deleted since.

    \b
    Examples:
      bec jobs log
      bec jobs log ldv1 --limit 10
    """
    from bec_core.admin.actions import latest_actions
    from bec_core.admin.jobs import find_job

    session = session_of(ctx)
    found = latest_actions(session, find_job(session, job_name) if job_name else None, limit=limit)
    if as_json:
        print_json([attrs.asdict(one) for one in found])
        return
    columns: list[Column] = ["When", "Who", "Job", "What", ("Number", "right"), "Detail"]
    rows = [
        (local_time(one.at), one.who, one.job_name, one.action, one.number, _details(one)) for one in found
    ]
    print_table(None, columns, rows)


def action_line(action: Action) -> str:
    """An action in one line."""
    number = "" if action.number is None else f" ({action.number:,})"
    return f"{action.action}{number}, {local_time(action.at)}, by {action.who}"


def _details(action: Action) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in action.details.items()
        if value not in (None, False, {})
    )
