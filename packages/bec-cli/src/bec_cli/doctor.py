"""``bec doctor``: is everything there that a run needs?"""

from __future__ import annotations

import attrs
import click

from bec_cli.common import json_option, out, print_json, session_of, styled
from bec_cli.completion import complete_job
from bec_cli.exits import Exit

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "trouble": ("✗", "bold red")}


@click.command()
@click.option(
    "--job-name",
    metavar="JOB",
    shell_complete=complete_job,
    help="This job (name or id).  [default: all open ones]",
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, job_name: str | None, as_json: bool) -> int:
    """Look before a run whether all is there that it needs, each thing with its remedy; takes a minute at most.

    Plugins, database and schema, disks, device, region, credentials, clock, archive, artifacts (one object below
    .bec/probe/ is written and removed), and of the jobs: config, inputs, queues and their policies, model.
    Exit status: 0 nothing is in the way (there may be warnings), 6 something is.

    \b
    Examples:
      bec doctor
      bec doctor --job-name ldv1 --json
    """
    from bec_core.admin.doctor.check import Outcome
    from bec_core.admin.doctor.examine import examine

    session = session_of(ctx)
    console, found = out(), []
    for check in examine(session, job_name):
        found.append(check)
        if not as_json:
            mark, style = _MARKS[check.outcome.value]
            remedy = f" → {check.remedy}" if check.remedy else ""
            console.print(
                styled((mark, style), f" {check.outcome.value}: {check.name}: {check.text}{remedy}"),
                soft_wrap=True,
            )
    if as_json:
        print_json([{**attrs.asdict(check), "outcome": check.outcome.value} for check in found])
    return Exit.SOME_FAILED if any(check.outcome is Outcome.TROUBLE for check in found) else Exit.OK
