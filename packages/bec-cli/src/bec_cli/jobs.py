"""``bec jobs``: create, change, mark and delete jobs; see how they stand."""

from __future__ import annotations

import click

from bec_cli.job_adopt import adopt
from bec_cli.job_log import log
from bec_cli.job_make import create, update
from bec_cli.job_mark import cancel, complete, delete, pause, resume
from bec_cli.job_show import list_, show
from bec_cli.job_stale import stale
from bec_cli.job_stats import stats, tasks


@click.group()
def jobs() -> None:
    """Create, change and mark jobs; see how they stand. JOB is a name or an id."""


for _command in (
    create, list_, show, update, delete, pause, complete, cancel, resume, stats, tasks, stale, log, adopt,
):  # fmt: skip
    jobs.add_command(_command)
