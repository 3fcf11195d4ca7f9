"""``bec report``: what a job has found, for people to look at."""

from __future__ import annotations

from pathlib import Path

import click

from bec_cli.common import session_of
from bec_cli.printing import say
from bec_core.admin import reports
from bec_core.admin.jobs import find_job


@click.command()
@click.option("--job-name", required=True, help="The job's name or id.")
@click.option(
    "--out",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the report goes. [default: report-JOB in the current folder]",
)
@click.pass_context
def report(ctx: click.Context, job_name: str, directory: Path | None) -> None:
    """Write the HTML report of a job's finished volumes; prints the file to open.

    \b
    Example:
      bec report --job-name ldv1 --out report/
    """
    session = session_of(ctx)
    job = find_job(session, job_name)
    directory = (directory or Path(f"report-{job.name}")).absolute()
    say(str(reports.write_report(session, job, reports.done_volumes(session, job), directory)))
