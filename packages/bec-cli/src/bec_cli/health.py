"""``bec health``: is something wrong with the jobs? For alarms: an exit status, and a line for each trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import count, json_option, print_json, session_of
from bec_cli.completion import complete_job
from bec_cli.exits import Exit
from bec_cli.printing import say
from bec_cli.times import SPAN

if TYPE_CHECKING:
    from bec_core.admin.health import JobHealth


@click.command()
@click.option("--job-name", metavar="JOB", shell_complete=complete_job, help="Only this job (name or id).")
@click.option(
    "--workers-gone",
    type=SPAN,
    default="10m",
    show_default=True,
    help="Volumes wait, and no worker was heard of for so long.",
)
@click.option(
    "--feeder-gone",
    type=SPAN,
    default="10m",
    show_default=True,
    help="Volumes wait, and the job's feeder was not heard of for so long.",
)
@click.option(
    "--standstill",
    type=SPAN,
    default="1h",
    show_default=True,
    help="Workers live, volumes wait or run, and none ended for so long; longer than your largest volume takes.",
)
@click.option(
    "--dead-letters",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="So many volumes were given up within --dead-letters-within.",
)
@click.option("--dead-letters-within", type=SPAN, default="1h", show_default=True, help="See --dead-letters.")
@click.option(
    "--latest",
    type=click.IntRange(1, 10_000),
    default=40,
    show_default=True,
    help="Look at so many volumes that ended last, within a day; fewer than half of these tell nothing.",
)
@click.option(
    "--one-cause",
    type=click.FloatRange(0, 100),
    default=20,
    show_default=True,
    help="This percentage of the --latest failed by one cause (one fingerprint).",
)
@click.option(
    "--drift",
    type=click.FloatRange(1),
    default=3,
    show_default=True,
    help="The --latest have so many times the share of failed pages of the 1,000 before them, and at least 1 %.",
)
@json_option
@click.pass_context
def health(
    ctx: click.Context,
    job_name: str | None,
    workers_gone: float,
    feeder_gone: float,
    standstill: float,
    dead_letters: int,
    dead_letters_within: float,
    latest: int,
    one_cause: float,
    drift: float,
    as_json: bool,
) -> int:
    """Say what is wrong with the jobs, one line for each trouble; for alarms. Only reads the database.

    Exit status: 0 nothing is wrong, 6 something is, 5 the database can't be reached. What is paused may stand still;
    completed and cancelled jobs are not looked at.

    \b
    Examples:
      bec health
      bec health --job-name ldv1 --standstill 2h || send-a-mail
    """
    from bec_core.admin.health import Thresholds, healths, open_jobs
    from bec_core.admin.jobs import find_job

    thresholds = Thresholds(
        workers_gone_s=workers_gone,
        feeder_gone_s=feeder_gone,
        standstill_s=standstill,
        dead_letters=dead_letters,
        dead_letters_within_s=dead_letters_within,
        latest=latest,
        least=max(1, latest // 2),
        one_cause=one_cause / 100,
        drift=drift,
    )
    session = session_of(ctx)
    chosen = [find_job(session, job_name)] if job_name else open_jobs(session)
    found = healths(session, chosen, thresholds)
    troubles = [trouble for one in found for trouble in one.troubles]
    if as_json:
        print_json([_as_dict(one) for one in found])
    elif troubles:
        for trouble in troubles:
            say(f"{trouble.job}: {trouble.kind.value}: {trouble.text}; {trouble.remedy}")
    else:
        say(f"✓ Nothing is wrong with {count(len(found), 'open job')}" if found else "There is no open job")
    return Exit.SOME_FAILED if troubles else Exit.OK


def _as_dict(one: JobHealth) -> dict[str, object]:
    backlog = one.figures.backlog
    figures = attrs.asdict(one.figures)
    figures["backlog"] |= {"total": backlog.total, "per_worker": backlog.per_worker}
    return {
        "job": one.job.name,
        "status": one.job.status,
        "troubles": [{**attrs.asdict(trouble), "kind": trouble.kind.value} for trouble in one.troubles],
        "figures": figures,
    }
